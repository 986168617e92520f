/** Messages as bytes: a closed list of types, each with its number, over Kryo. */
@NullMarked
package dev.troupe.wire.kryo;

import org.jspecify.annotations.NullMarked;
