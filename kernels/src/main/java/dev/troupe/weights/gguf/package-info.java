/** GGUF files: metadata, tensor table and data, read with nothing in them believed, and written. */
@NullMarked
package dev.troupe.weights.gguf;

import org.jspecify.annotations.NullMarked;
