package dev.troupe.kernel;

import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A weight matrix {@code [rows, columns]} with 32 rows interleaved, so that a vector lane is an output row (NUMERICS).
 * Rows are padded with zeros to a multiple of 32; group g holds rows 32g to 32g + 31, k-major:
 *
 * <ul>
 *   <li>f32: {@code [group][k][32]};
 *   <li>bf16, f16: {@code [group][k]} of 16 ints, int i has row i in its low and row i + 16 in its high half;
 *   <li>block-quantised types: {@code [group][piece]} as {@link PackedFormat} says. A piece is at most 32 columns that lie in
 *       one weight block and in one activation block ({@link ColumnPieces}); stored is the whole weight block, and whoever
 *       multiplies takes zeros for the activations of its other columns, which changes no integer sum.
 * </ul>
 *
 * <p>After the last group there are 64 readable bytes, so that a kernel may load past the end.
 */
public final class PackedMatrix {
    /** Rows interleaved together. */
    public static final int GROUP_ROWS = 32;

    private final DType type;
    private final int rows;
    private final int firstColumn;
    private final ColumnPieces pieces;
    private final MemorySegment memory;
    private final long groupBytes;

    /**
     * @param firstColumn column of the activations where this matrix starts: chunks of a row-parallel matrix share one x
     * @param pieces the columns, as block types cut them; float types use its column count alone
     * @param memory the interleaved weights, see above
     */
    public PackedMatrix(DType type, int rows, int firstColumn, ColumnPieces pieces, MemorySegment memory) {
        this.type = type;
        this.rows = rows;
        this.firstColumn = firstColumn;
        this.pieces = pieces;
        this.memory = memory;
        this.groupBytes = groupBytes(type, pieces);
        long expected = Math.multiplyExact(groupBytes, (long) Math.ceilDiv(rows, GROUP_ROWS)) + 64;
        if (memory.byteSize() < expected) {
            throw new IllegalArgumentException("a packed %s matrix [%d, %d] takes %d bytes, the memory has %d"
                    .formatted(type.label(), rows, pieces.columns(), expected, memory.byteSize()));
        }
    }

    /** The same in another memory: itself where that is the host's, else a copy that lives as long as {@code arena}. */
    public PackedMatrix placed(DeviceMemory device, Arena arena) {
        return device.isHost() ? this : new PackedMatrix(type, rows, firstColumn, pieces, device.place(arena, memory));
    }

    /** Bytes of one group of 32 rows. */
    public static long groupBytes(DType type, ColumnPieces pieces) {
        return switch (type) {
            case F32 -> 128L * pieces.columns();
            case BF16, F16 -> 64L * pieces.columns();
            default -> PackedFormat.of(type).groupBytes(pieces.count(), pieces.runs());
        };
    }

    public DType type() {
        return type;
    }

    public int rows() {
        return rows;
    }

    public int columns() {
        return pieces.columns();
    }

    public int firstColumn() {
        return firstColumn;
    }

    public ColumnPieces pieces() {
        return pieces;
    }

    public int groups() {
        return Math.ceilDiv(rows, GROUP_ROWS);
    }

    public long groupBytes() {
        return groupBytes;
    }

    /** Offset of a piece of a group in the memory; block-quantised types only. */
    public long pieceOffset(int group, int piece) {
        return group * groupBytes + PackedFormat.of(type).pieceOffset(piece, pieces.run(piece));
    }

    /** Offset of a piece's float scales in the memory; block-quantised types only. */
    public long scaleOffset(int group, int piece) {
        int run = pieces.run(piece);
        return group * groupBytes + PackedFormat.of(type).scaleOffset(piece, run, pieces.runStart(run));
    }

    public MemorySegment memory() {
        return memory;
    }

    public long address() {
        return memory.address();
    }

    /** Bytes that one pass over the weights reads. */
    public long byteSize() {
        return groupBytes() * groups();
    }
}
