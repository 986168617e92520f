/** The operations a model is made of, and the choice of the device that runs them. */
@NullMarked
package dev.troupe.kernel;

import org.jspecify.annotations.NullMarked;
