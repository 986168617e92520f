/** Small programs that show how Troupe is used from Java. */
@NullMarked
package dev.troupe.samples;

import org.jspecify.annotations.NullMarked;
