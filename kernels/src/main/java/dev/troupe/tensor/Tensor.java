package dev.troupe.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * A row-major matrix {@code [rows, columns]} in off-heap memory. The memory belongs to the arena (or the mapped file) it
 * came from; a tensor is a view.
 */
public final class Tensor {
    private static final long ALIGNMENT = 64;

    private final DType type;
    private final int rows;
    private final int columns;
    private final MemorySegment memory;

    /**
     * A view of {@code memory}.
     *
     * @throws IllegalArgumentException if the memory is not exactly {@code rows} rows long
     */
    public Tensor(DType type, int rows, int columns, MemorySegment memory) {
        this.type = Objects.requireNonNull(type);
        this.rows = rows;
        this.columns = columns;
        this.memory = Objects.requireNonNull(memory);
        long expected = rows < 0 ? -1 : Math.multiplyExact(type.rowBytes(columns), (long) rows);
        if (expected != memory.byteSize()) {
            throw new IllegalArgumentException("a %s tensor [%d, %d] takes %d bytes, the memory has %d"
                    .formatted(type.label(), rows, columns, expected, memory.byteSize()));
        }
    }

    /** A new zeroed f32 tensor {@code [rows, columns]}, aligned to 64 bytes. */
    public static Tensor floats(Arena arena, int rows, int columns) {
        return new Tensor(DType.F32, rows, columns, arena.allocate(Math.multiplyExact(4L * columns, rows), ALIGNMENT));
    }

    public DType type() {
        return type;
    }

    public int rows() {
        return rows;
    }

    public int columns() {
        return columns;
    }

    /** The bytes, {@code rows * type.rowBytes(columns)} long. */
    public MemorySegment memory() {
        return memory;
    }

    /** Native address of the first byte; valid while the owning arena is open. */
    public long address() {
        return memory.address();
    }

    /** Element of an f32 tensor. Slow; for tests, set-up and small things. */
    public float get(int row, int column) {
        return memory.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * index(row, column));
    }

    /** Sets an element of an f32 tensor. Slow; for tests, set-up and small things. */
    public void set(int row, int column, float value) {
        memory.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * index(row, column), value);
    }

    /** Copies rows {@code [from, to)} of an f32 tensor to the heap. */
    public Floats copyRows(int from, int to) {
        Objects.checkFromToIndex(from, to, rows);
        requireF32();
        float[] values = new float[Math.multiplyExact(to - from, columns)];
        MemorySegment.copy(memory, ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * from * columns, values, 0, values.length);
        return new Floats(to - from, columns, values);
    }

    /** Overwrites rows starting at {@code firstRow} of an f32 tensor with {@code source}. */
    public void setRows(int firstRow, Floats source) {
        requireF32();
        if (source.columns() != columns) {
            throw new IllegalArgumentException("columns=%d, expected %d".formatted(source.columns(), columns));
        }
        Objects.checkFromIndexSize(firstRow, source.rows(), rows);
        source.copyTo(memory.asSlice(4L * firstRow * columns, 4L * source.rows() * columns));
    }

    private long index(int row, int column) {
        requireF32();
        Objects.checkIndex(row, rows);
        Objects.checkIndex(column, columns);
        return (long) row * columns + column;
    }

    /** @throws IllegalArgumentException unless it is f32 and has these columns and at least so many rows */
    public void requireRows(int count, int width) {
        if (type != DType.F32 || width != columns || count > rows) {
            throw new IllegalArgumentException("f32[%d, %d] does not fit %s".formatted(count, width, this));
        }
    }

    private void requireF32() {
        if (type != DType.F32) {
            throw new IllegalStateException("a %s tensor has no f32 elements".formatted(type.label()));
        }
    }

    @Override
    public String toString() {
        return "%s[%d, %d]".formatted(type.label(), rows, columns);
    }
}
