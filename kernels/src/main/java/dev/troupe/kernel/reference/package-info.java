/** The kernels as plain loops: the specification that every other implementation equals bit for bit. */
@NullMarked
package dev.troupe.kernel.reference;

import org.jspecify.annotations.NullMarked;
