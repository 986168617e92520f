/** The decoder program: one rank's share of Llama, Mistral, Qwen2 and Qwen3, built from the same segments. */
@NullMarked
package dev.troupe.model.decoder;

import org.jspecify.annotations.NullMarked;
