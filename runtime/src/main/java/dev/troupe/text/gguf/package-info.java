/** The vocabulary of a GGUF file, turned into a tokenizer. */
@NullMarked
package dev.troupe.text.gguf;

import org.jspecify.annotations.NullMarked;
