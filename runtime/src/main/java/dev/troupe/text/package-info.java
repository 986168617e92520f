/** Text to tokens and back: tokenizer, incremental detokenizer, stop strings. */
@NullMarked
package dev.troupe.text;

import org.jspecify.annotations.NullMarked;
