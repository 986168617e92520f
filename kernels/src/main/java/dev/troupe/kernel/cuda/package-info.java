/** Kernels on NVIDIA GPUs: whether there is one, the compiled kernels in the jar, and the operations made of them. */
@NullMarked
package dev.troupe.kernel.cuda;

import org.jspecify.annotations.NullMarked;
