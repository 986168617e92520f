/** A checkpoint rounded to block types, written as a GGUF file. */
@NullMarked
package dev.troupe.model.quantise;

import org.jspecify.annotations.NullMarked;
