/** The vector width of this process, and what all vector kernels share because of it. */
@NullMarked
package dev.troupe.kernel.vector.lanes;

import org.jspecify.annotations.NullMarked;
