package dev.troupe.kernel.quantised;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Packing of codes straight from a file's blocks to the layout of {@link PackedFormat}, for the types whose codes only change
 * places: the same bytes as through a {@link WeightBlock}, many times as fast, and so early in a process, where little is
 * compiled yet. Owned by one thread.
 */
public final class BlockMover {
    private static final int ROWS = 32;
    private static final int COLUMNS = 32;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long LOW_NIBBLES = 0x0f0f_0f0f_0f0f_0f0fL;
    private static final long INTS = 0x0000_0000_ffff_ffffL;
    private static final long SHORTS = 0x0000_ffff_0000_ffffL;
    private static final long BYTES = 0x00ff_00ff_00ff_00ffL;

    // On the heap: C2 takes seconds to compile the same with this many accesses to memory segments.
    private final long[] rowMajor = new long[ROWS * COLUMNS / Long.BYTES];
    private final long[] columnMajor = new long[rowMajor.length];

    /**
     * Moves 32 columns of 32 rows of bytes to a plane of 8 bits.
     *
     * @param at offset of the first row's columns in {@code rows}
     * @param stride bytes from a row to the next
     * @param plane offset of the plane in {@code packed}
     */
    public void bytes(MemorySegment rows, long at, long stride, MemorySegment packed, long plane) {
        for (int i = 0; i < rowMajor.length; i++) {
            rowMajor[i] = rows.get(LONG, at + (i >> 2) * stride + 8L * (i & 3));
        }
        for (int square = 0; square < 16; square++) {
            transpose(32 * (square >> 2) + (square & 3), 32 * (square & 3) + (square >> 2));
        }
        MemorySegment.copy(columnMajor, 0, packed, LONG, plane, columnMajor.length);
    }

    /** Transposes 8 × 8 bytes: halves of the square change places, then quarters, then bytes. */
    private void transpose(int from, int to) {
        long a = rowMajor[from];
        long b = rowMajor[from + 4];
        long c = rowMajor[from + 8];
        long d = rowMajor[from + 12];
        long e = rowMajor[from + 16];
        long f = rowMajor[from + 20];
        long g = rowMajor[from + 24];
        long h = rowMajor[from + 28];
        columns(low(a, e, INTS, 32), low(b, f, INTS, 32), low(c, g, INTS, 32), low(d, h, INTS, 32), to);
        columns(high(a, e, INTS, 32), high(b, f, INTS, 32), high(c, g, INTS, 32), high(d, h, INTS, 32), to + 16);
    }

    private void columns(long a, long b, long c, long d, int to) {
        long ac = low(a, c, SHORTS, 16);
        long bd = low(b, d, SHORTS, 16);
        long ca = high(a, c, SHORTS, 16);
        long db = high(b, d, SHORTS, 16);
        columnMajor[to] = low(ac, bd, BYTES, 8);
        columnMajor[to + 4] = high(ac, bd, BYTES, 8);
        columnMajor[to + 8] = low(ca, db, BYTES, 8);
        columnMajor[to + 12] = high(ca, db, BYTES, 8);
    }

    /** The low parts of both, those of {@code second} above those of {@code first}. */
    private static long low(long first, long second, long mask, int bits) {
        return (first & mask) | ((second & mask) << bits);
    }

    /** The high parts of both, those of {@code second} above those of {@code first}. */
    private static long high(long first, long second, long mask, int bits) {
        return ((first >>> bits) & mask) | (second & ~mask);
    }

    /**
     * Moves 32 columns of a row of four-bit codes, of which 16 bytes hold columns 0 to 15 in their low and 16 to 31 in their
     * high halves, to a plane of 4 bits.
     *
     * @param at offset of the 16 bytes in {@code rows}
     * @param plane offset of the plane in {@code packed}, plus four times the row's lane
     */
    public void nibbles(MemorySegment rows, long at, MemorySegment packed, long plane) {
        long first = rows.get(LONG, at);
        long second = rows.get(LONG, at + 8);
        packed.set(INT, plane, (int) Long.compress(first, LOW_NIBBLES));
        packed.set(INT, plane + 128, (int) Long.compress(second, LOW_NIBBLES));
        packed.set(INT, plane + 256, (int) Long.compress(first, ~LOW_NIBBLES));
        packed.set(INT, plane + 384, (int) Long.compress(second, ~LOW_NIBBLES));
    }
}
