package dev.troupe.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;

/**
 * Rows of f32 on the heap, {@code [rows, columns]}: what messages between ranks carry. Immutable by contract: whoever
 * makes one hands its array over and never writes to it again, so it may pass by reference inside a JVM.
 */
public final class Floats {
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

    public int rows() {
        return rows;
    }

    public int columns() {
        return columns;
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
