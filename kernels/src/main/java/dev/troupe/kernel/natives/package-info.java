/** Matrix products compiled from {@code src/main/c} where a C compiler was there at build time, with the bits of all others. */
@NullMarked
package dev.troupe.kernel.natives;

import org.jspecify.annotations.NullMarked;
