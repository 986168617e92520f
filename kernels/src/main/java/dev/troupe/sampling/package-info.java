/** Logits to a token: penalties, candidates, and counter-based noise. */
@NullMarked
package dev.troupe.sampling;

import org.jspecify.annotations.NullMarked;
