/** The kernels on the Vector API, one file per operation, equal to the reference bit for bit at 128, 256 and 512 bits. */
@NullMarked
package dev.troupe.kernel.vector;

import org.jspecify.annotations.NullMarked;
