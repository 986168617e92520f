/** The tensor lane's frames: what their bytes mean, and how messages become frames and back. */
@NullMarked
package dev.troupe.wire.frame;

import org.jspecify.annotations.NullMarked;
