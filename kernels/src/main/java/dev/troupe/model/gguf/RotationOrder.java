package dev.troupe.model.gguf;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * The order of a head's rows in which a rotation turns neighbours, 2i with 2i + 1, and how to get from it to the order of
 * halves, i with i + half a head, that the kernels use: the same rows in another order, so the same bits.
 *
 * @param headDim rows of a head, even
 */
record RotationOrder(int headDim) {
    /** Where the file has the row that comes out as {@code row}. */
    long stored(long row) {
        long inHead = row % headDim;
        long half = headDim / 2;
        return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    }

    /** The row of the order of halves that the file has as {@code row}. */
    long inHalves(long row) {
        long inHead = row % headDim;
        return row - inHead + inHead / 2 + inHead % 2 * (headDim / 2);
    }

    /**
     * Rows {@code [from, to)} of the order of halves.
     *
     * @param stored all rows as the file has them
     * @param rowBytes bytes of a row
     * @param arena owns what is made
     */
    MemorySegment halves(MemorySegment stored, long rowBytes, long from, long to, Arena arena) {
        long rows = stored.byteSize() / rowBytes;
        Objects.checkFromToIndex(from, to, rows);
        if (rows % headDim != 0) {
            throw new IllegalArgumentException("%d rows do not fill heads of %d".formatted(rows, headDim));
        }
        MemorySegment ordered = arena.allocate((to - from) * rowBytes, 64);
        for (long row = from; row < to; row++) {
            MemorySegment.copy(stored, stored(row) * rowBytes, ordered, (row - from) * rowBytes, rowBytes);
        }
        return ordered;
    }
}
