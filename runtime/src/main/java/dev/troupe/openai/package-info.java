/** A client of any server that speaks the OpenAI API. */
@NullMarked
package dev.troupe.openai;

import org.jspecify.annotations.NullMarked;
