package dev.troupe.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * Rows of f32 on the heap, {@code [rows, columns]}: what messages between ranks carry. Immutable by contract: whoever
 * makes one hands its array over and never writes to it again, so it may pass by reference inside a JVM.
 */
public final class Floats implements Rows {
    private static final ValueLayout.OfFloat WIRE = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int rows;
    private final int columns;
    private final float[] values;

    /**
     * Takes over {@code values}.
     *
     * @throws IllegalArgumentException if there are not exactly {@code rows * columns} values
     */
    public Floats(int rows, int columns, float[] values) {
        if (rows < 0 || columns < 0 || (long) rows * columns != values.length) {
            throw new IllegalArgumentException(
                    "[%d, %d] takes %d values, got %d".formatted(rows, columns, (long) rows * columns, values.length));
        }
        this.rows = rows;
        this.columns = columns;
        this.values = values;
    }

    @Override
    public int rows() {
        return rows;
    }

    @Override
    public int columns() {
        return columns;
    }

    @Override
    public Floats floats() {
        return this;
    }

    public float get(int row, int column) {
        Objects.checkIndex(row, rows);
        Objects.checkIndex(column, columns);
        return values[row * columns + column];
    }

    /** Rows {@code [from, to)} as a copy. */
    public Floats slice(int from, int to) {
        Objects.checkFromToIndex(from, to, rows);
        return new Floats(to - from, columns, Arrays.copyOfRange(values, from * columns, to * columns));
    }

    /** One row as a copy, {@code [columns]}. */
    public float[] row(int row) {
        Objects.checkIndex(row, rows);
        return Arrays.copyOfRange(values, row * columns, (row + 1) * columns);
    }

    /** Copies all values, row after row, to {@code target}, which must be as long. */
    public void copyTo(MemorySegment target) {
        if (target.byteSize() != 4L * values.length) {
            throw new IllegalArgumentException(
                    "%d values do not fit %d bytes".formatted(values.length, target.byteSize()));
        }
        MemorySegment.copy(values, 0, target, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values.length);
    }

    /**
     * Copies rows {@code [from, to)} to {@code target} as little-endian bytes, the order of the wire.
     *
     * @throws IllegalArgumentException if {@code target} is not exactly as long
     */
    public void copyRowsTo(int from, int to, MemorySegment target) {
        Objects.checkFromToIndex(from, to, rows);
        int count = (to - from) * columns;
        if (target.byteSize() != 4L * count) {
            throw new IllegalArgumentException("%d values do not fit %d bytes".formatted(count, target.byteSize()));
        }
        MemorySegment.copy(values, from * columns, target, WIRE, 0, count);
    }

    /**
     * Rows from little-endian bytes.
     *
     * @throws IllegalArgumentException if {@code source} does not hold exactly {@code rows * columns} values
     */
    public static Floats copyOf(int rows, int columns, MemorySegment source) {
        long count = (long) rows * columns;
        if (rows < 0 || columns < 0 || source.byteSize() != 4 * count) {
            throw new IllegalArgumentException(
                    "[%d, %d] takes %d bytes, got %d".formatted(rows, columns, 4 * count, source.byteSize()));
        }
        float[] values = new float[(int) count];
        MemorySegment.copy(source, WIRE, 0, values, 0, values.length);
        return new Floats(rows, columns, values);
    }

    /** The values, to be read only. */
    MemorySegment memory() {
        return MemorySegment.ofArray(values).asReadOnly();
    }

    /** All values, row after row, as a copy. */
    public float[] toArray() {
        return values.clone();
    }

    /** Equal shape and equal raw bits. */
    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Floats that) || rows != that.rows || columns != that.columns) {
            return false;
        }
        for (int i = 0; i < values.length; i++) {
            if (Float.floatToRawIntBits(values[i]) != Float.floatToRawIntBits(that.values[i])) {
                return false;
            }
        }
        return true;
    }

    @Override
    public int hashCode() {
        return 31 * (31 * rows + columns) + Arrays.hashCode(values);
    }

    @Override
    public String toString() {
        return "f32[%d, %d]".formatted(rows, columns);
    }
}
