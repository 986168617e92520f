/** The tensor lane: framed TCP between nodes for floats, one I/O thread, nothing that blocks. */
@NullMarked
package dev.troupe.wire.lane;

import org.jspecify.annotations.NullMarked;
