/** Guided decoding: which tokens may come next, as a function of the tokens so far. */
@NullMarked
package dev.troupe.sampling.guide;

import org.jspecify.annotations.NullMarked;
