/** Products of one token with block-quantised weights, a kernel for each way of packing. */
@NullMarked
package dev.troupe.kernel.vector.quantised;

import org.jspecify.annotations.NullMarked;
