/** Weight files: to tensors, whole or one rank's part. */
@NullMarked
package dev.troupe.weights;

import org.jspecify.annotations.NullMarked;
