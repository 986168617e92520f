/** Messages as bytes: the Kryo bridge and the tensor lane. */
@NullMarked
package dev.troupe.wire;

import org.jspecify.annotations.NullMarked;
