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
    private int blocks;
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
        blocks = 0;
        for (int c = 0; c < chunks; c++) {
            columns += chunk(c).columns();
            blocks += chunk(c).pieces().activationBlocks();
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

    /** Activation blocks of all chunks. */
    int blocks() {
        return blocks;
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
