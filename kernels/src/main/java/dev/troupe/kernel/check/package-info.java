/** The self-test of a device: every operation against the plain loops. */
@NullMarked
package dev.troupe.kernel.check;

import org.jspecify.annotations.NullMarked;
