/** Models in GGUF files: their configuration from metadata, their tensors under the names and in the order of a checkpoint. */
@NullMarked
package dev.troupe.model.gguf;

import org.jspecify.annotations.NullMarked;
