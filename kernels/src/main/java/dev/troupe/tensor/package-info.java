/** Tensors: memory with a type and a shape. */
@NullMarked
package dev.troupe.tensor;

import org.jspecify.annotations.NullMarked;
