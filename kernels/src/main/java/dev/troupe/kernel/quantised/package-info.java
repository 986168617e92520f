/** Block-quantised weights: how a file stores them, what a block means, how they are packed for kernels. */
@NullMarked
package dev.troupe.kernel.quantised;

import org.jspecify.annotations.NullMarked;
