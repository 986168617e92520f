package dev.troupe.kernel.check;

import dev.troupe.tensor.Tensor;

/**
 * Two f32 tensors that began with the same bits.
 *
 * @param plain for the plain loops, in the memory of the host
 * @param tested for the kernels under test, in their memory
 */
record Twin(Tensor plain, Tensor tested) {}
