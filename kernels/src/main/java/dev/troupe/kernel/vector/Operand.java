package dev.troupe.kernel.vector;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.tensor.DType;
import org.jspecify.annotations.Nullable;

/** The matrix of the product that is running: a whole one, which is its only chunk, or one in chunks. */
final class Operand {
    private @Nullable PackedMatrix whole;
    private @Nullable ChunkedMatrix parts;
    private int chunks;
    private int columns;
    private int pieces;
    private int widest;
    private int stackDepth;

    void set(PackedMatrix matrix) {
        whole = matrix;
        parts = null;
        chunks = 1;
        stackDepth = 1;
        measure();
    }

    void set(ChunkedMatrix matrix) {
        whole = null;
        parts = matrix;
        chunks = matrix.chunks().size();
        stackDepth = 2 + levels(matrix.groups()) + levels(matrix.subChunks());
        measure();
    }

    private static int levels(int addends) {
        return 32 - Integer.numberOfLeadingZeros(addends);
    }

    private void measure() {
        columns = 0;
        pieces = 0;
        widest = 0;
        for (int c = 0; c < chunks; c++) {
            columns += chunk(c).columns();
            pieces += chunk(c).pieces().count();
            widest = Math.max(widest, chunk(c).columns());
        }
    }

    /** Lets go of the matrix. */
    void clear() {
        whole = null;
        parts = null;
        chunks = 0;
    }

    int chunks() {
        return chunks;
    }

    PackedMatrix chunk(int c) {
        if (whole != null) {
            return whole;
        }
        if (parts == null) {
            throw new IllegalStateException("no product is running");
        }
        return parts.chunks().get(c);
    }

    DType type() {
        return chunk(0).type();
    }

    int rows() {
        return chunk(0).rows();
    }

    /** Columns of all chunks. */
    int columns() {
        return columns;
    }

    /** Columns of the widest chunk. */
    int widest() {
        return widest;
    }

    /** Pieces of all chunks. */
    int pieces() {
        return pieces;
    }

    /** Entries that the stack of chunk products may have at once. */
    int stackDepth() {
        return stackDepth;
    }

    /** See {@link ChunkedMatrix#mergesAfter}. */
    int mergesAfter(int c) {
        return parts == null ? 0 : parts.mergesAfter(c);
    }

    /** See {@link ChunkedMatrix#nodeEndingAt}. */
    int nodeEndingAt(int c) {
        return parts == null ? 0 : parts.nodeEndingAt(c);
    }

    long byteSize() {
        return parts == null ? chunk(0).byteSize() : parts.byteSize();
    }
}
