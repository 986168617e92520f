/** Products with block-quantised weights on the Vector API. */
@NullMarked
package dev.troupe.kernel.vector.quantised;

import org.jspecify.annotations.NullMarked;
