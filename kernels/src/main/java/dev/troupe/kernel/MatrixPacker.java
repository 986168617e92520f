package dev.troupe.kernel;

import dev.troupe.kernel.quantised.BlockMover;
import dev.troupe.kernel.quantised.PackedBlocks;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.quantised.StoredBlocks;
import dev.troupe.kernel.quantised.WeightBlock;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.LargePages;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.LongFunction;

/** The repacker of row-major weights, as they lie in a file, to the interleaved layout of {@link PackedMatrix}. */
public final class MatrixPacker {
    private static final int GROUP = PackedMatrix.GROUP_ROWS;

    /** Bytes behind the last group. */
    static final long PADDING = 64;

    private static final int COLUMN_TILE = 64;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private MatrixPacker() {}

    /**
     * Rows {@code [fromRow, toRow)} of a row-major matrix.
     *
     * @param source {@code [rows, columns]} in the file's layout, little-endian
     */
    public record Rows(Tensor source, int fromRow, int toRow) {
        public Rows {
            Objects.checkFromToIndex(fromRow, toRow, source.rows());
        }

        /** All rows of {@code source}. */
        public static Rows of(Tensor source) {
            return new Rows(source, 0, source.rows());
        }

        int count() {
            return toRow - fromRow;
        }
    }

    /** Packs a whole matrix; see {@link #pack(Arena, List, int, int, int)}. */
    public static PackedMatrix pack(Arena arena, Tensor source) {
        return pack(arena, List.of(Rows.of(source)));
    }

    /** Packs all columns of {@code parts}, one below the other; see {@link #pack(Arena, List, int, int, int)}. */
    public static PackedMatrix pack(Arena arena, List<Rows> parts) {
        return pack(arena, parts, 0, parts.getFirst().source().columns(), 0);
    }

    /**
     * Packs columns {@code [fromColumn, toColumn)} of {@code parts}, whose rows stand one below the other, for example the
     * rank's rows of the query, key and value matrices.
     *
     * @param firstColumn column of the activations that belongs to {@code fromColumn}
     * @throws IllegalArgumentException if the parts differ in type or columns, the range is not inside them, or an f16
     *     weight or scale is not finite
     */
    public static PackedMatrix pack(Arena arena, List<Rows> parts, int fromColumn, int toColumn, int firstColumn) {
        PackedMatrix packed =
                place(parts, fromColumn, toColumn, firstColumn, bytes -> LargePages.allocate(arena, bytes, PADDING));
        fill(packed, parts, fromColumn);
        return packed;
    }

    /**
     * A matrix that nothing has been packed into yet.
     *
     * @param memory gives so many bytes
     */
    static PackedMatrix place(
            List<Rows> parts, int fromColumn, int toColumn, int firstColumn, LongFunction<MemorySegment> memory) {
        Tensor first = parts.getFirst().source();
        for (Rows part : parts) {
            if (part.source().type() != first.type() || part.source().columns() != first.columns()) {
                throw new IllegalArgumentException("cannot pack %s and %s together: type and columns must be equal"
                        .formatted(first, part.source()));
            }
        }
        Objects.checkFromToIndex(fromColumn, toColumn, first.columns());
        int rows = parts.stream().mapToInt(Rows::count).reduce(0, Math::addExact);
        ColumnPieces pieces = ColumnPieces.of(toColumn - fromColumn, fromColumn);
        long bytes =
                Math.multiplyExact(PackedMatrix.groupBytes(first.type(), pieces), (long) Math.ceilDiv(rows, GROUP));
        MemorySegment packed = memory.apply(Math.addExact(bytes, PADDING));
        return new PackedMatrix(first.type(), rows, firstColumn, pieces, packed);
    }

    /** Packs all rows of {@code parts} into memory of zeros. */
    static void fill(PackedMatrix packed, List<Rows> parts, int fromColumn) {
        int row = 0;
        for (Rows part : parts) {
            if (packed.type().quantised()) {
                packBlocks(packed, part, row, fromColumn);
            } else {
                packRows(packed, part, row, fromColumn);
            }
            row += part.count();
        }
    }

    /**
     * Packs a rank's share of a row-parallel matrix, chunk by chunk. The activations start at the first column of
     * {@code fromGroup}.
     *
     * @param source the whole matrix {@code [rows, columns]}
     * @param chunks its geometry, which must have as many columns
     * @throws IllegalArgumentException as for {@link #pack(Arena, List, int, int, int)}, or if the columns differ
     */
    public static ChunkedMatrix packChunks(
            Arena arena, Tensor source, ReductionChunks chunks, int fromGroup, int toGroup) {
        return packChunks(
                source,
                chunks,
                fromGroup,
                toGroup,
                (parts, from, to, firstColumn) -> pack(arena, parts, from, to, firstColumn));
    }

    /** A way to pack columns {@code [fromColumn, toColumn)}; see {@link #pack(Arena, List, int, int, int)}. */
    @FunctionalInterface
    interface ColumnPacker {
        PackedMatrix pack(List<Rows> parts, int fromColumn, int toColumn, int firstColumn);
    }

    static ChunkedMatrix packChunks(
            Tensor source, ReductionChunks chunks, int fromGroup, int toGroup, ColumnPacker packer) {
        int columns = chunks.groupStart(chunks.groups());
        if (source.columns() != columns) {
            throw new IllegalArgumentException(
                    "the chunks have %d columns, the matrix is %s".formatted(columns, source));
        }
        Objects.checkFromToIndex(fromGroup, toGroup, chunks.groups());
        int base = chunks.groupStart(fromGroup);
        List<PackedMatrix> packed = new ArrayList<>();
        for (int c = fromGroup * chunks.subChunks(); c < toGroup * chunks.subChunks(); c++) {
            int start = chunks.start(c);
            packed.add(packer.pack(List.of(Rows.of(source)), start, chunks.end(c), start - base));
        }
        return new ChunkedMatrix(chunks.groups(), chunks.subChunks(), fromGroup, packed);
    }

    /** Tiles of columns inside a group of rows, so that the lines being written stay in the first cache. */
    private static void packRows(PackedMatrix packed, Rows part, int firstRow, int fromColumn) {
        int columns = packed.columns();
        int count = part.count();
        for (int from = 0; from < count; ) {
            int to = Math.min(count, from + GROUP - (firstRow + from) % GROUP);
            for (int k = 0; k < columns; k += COLUMN_TILE) {
                int end = Math.min(columns, k + COLUMN_TILE);
                for (int i = from; i < to; i++) {
                    packRow(packed, part.source(), part.fromRow() + i, firstRow + i, fromColumn, k, end);
                }
            }
            from = to;
        }
    }

    private static void packRow(
            PackedMatrix packed, Tensor source, int sourceRow, int row, int fromColumn, int fromK, int toK) {
        long target = row / GROUP * packed.groupBytes();
        int lane = row % GROUP;
        MemorySegment from = source.memory();
        long element = (long) sourceRow * source.columns() + fromColumn;
        switch (packed.type()) {
            case F32 -> copyFloats(from, element, packed.memory(), target + 4L * lane, fromK, toK);
            case BF16 -> copyHalves(from, element, packed.memory(), target + PackedBlocks.halfOffset(lane), fromK, toK);
            case F16 -> {
                requireFinite(source, sourceRow, fromColumn + fromK, fromColumn + toK);
                copyHalves(from, element, packed.memory(), target + PackedBlocks.halfOffset(lane), fromK, toK);
            }
            default -> throw new IllegalArgumentException("%s has blocks".formatted(source));
        }
    }

    /** Piece by piece inside a group of rows, so that the lines being written stay in the first cache. */
    private static void packBlocks(PackedMatrix packed, Rows part, int firstRow, int fromColumn) {
        WeightBlock block = new WeightBlock(packed.type());
        BlockMover mover = new BlockMover();
        int count = part.count();
        for (int from = 0; from < count; ) {
            int group = (firstRow + from) / GROUP;
            int lane = (firstRow + from) % GROUP;
            int rows = Math.min(count - from, GROUP - lane);
            for (int piece = 0; piece < packed.pieces().count(); piece++) {
                Piece target = new Piece(
                        packed.memory(),
                        packed.scaleOffset(group, piece),
                        packed.pieceOffset(group, piece),
                        fromColumn + packed.pieces().start(piece));
                int row = part.fromRow() + from;
                if (packed.type() == DType.Q8_0 && rows == GROUP) {
                    moveBytes(target, part.source(), row, mover);
                } else if (packed.type() == DType.Q4_0) {
                    moveNibbles(target, part.source(), row, rows, lane, mover);
                } else {
                    packRows(target, part.source(), row, rows, lane, block);
                }
            }
            from += rows;
        }
    }

    /** Where 32 columns of a group of rows go: the offsets of their scales and of their piece. */
    private record Piece(MemorySegment memory, long scales, long start, int column) {
        /** Offset of a row's block in {@code source}. */
        long block(Tensor source, int row) {
            DType type = source.type();
            return row * type.rowBytes(source.columns()) + (long) column / type.blockSize() * type.blockBytes();
        }
    }

    private static void packRows(Piece target, Tensor source, int row, int rows, int lane, WeightBlock block) {
        long bytes = source.type().rowBytes(source.columns());
        for (int i = 0; i < rows; i++) {
            StoredBlocks.read(source.memory(), (row + i) * bytes, target.column() / 32, block);
            if (!block.finite()) {
                throw notFinite(source, row + i, target.column(), "scale");
            }
            PackedBlocks.write(block, target.memory(), target.scales(), target.start(), lane + i);
        }
    }

    private static void moveBytes(Piece target, Tensor source, int row, BlockMover mover) {
        long at = target.block(source, row);
        long stride = source.type().rowBytes(source.columns());
        for (int i = 0; i < GROUP; i++) {
            moveScale(target, source, row + i, i, at + i * stride);
        }
        long plane = target.start() + PackedFormat.Q8_0.lowPlane();
        mover.bytes(source.memory(), at + Short.BYTES, stride, target.memory(), plane);
    }

    private static void moveNibbles(Piece target, Tensor source, int row, int rows, int lane, BlockMover mover) {
        long at = target.block(source, row);
        long stride = source.type().rowBytes(source.columns());
        long plane = target.start() + PackedFormat.Q4_0.lowPlane();
        for (int i = 0; i < rows; i++) {
            moveScale(target, source, row + i, lane + i, at + i * stride);
            long codes = at + i * stride + Short.BYTES;
            mover.nibbles(source.memory(), codes, target.memory(), plane + 4L * (lane + i));
        }
    }

    private static void moveScale(Piece target, Tensor source, int row, int lane, long at) {
        short scale = source.memory().get(SHORT, at);
        if (!isFinite(scale)) {
            throw notFinite(source, row, target.column(), "scale");
        }
        target.memory().set(SHORT, target.scales() + PackedBlocks.halfOffset(lane), scale);
    }

    private static void copyFloats(MemorySegment from, long element, MemorySegment to, long target, int k0, int k1) {
        for (int k = k0; k < k1; k++) {
            to.set(INT, target + 128L * k, from.get(INT, 4L * (element + k)));
        }
    }

    private static void copyHalves(MemorySegment from, long element, MemorySegment to, long target, int k0, int k1) {
        for (int k = k0; k < k1; k++) {
            to.set(SHORT, target + 64L * k, from.get(SHORT, 2L * (element + k)));
        }
    }

    private static void requireFinite(Tensor source, int row, int k0, int k1) {
        for (int k = k0; k < k1; k++) {
            if (!isFinite(source.memory().get(SHORT, 2L * ((long) row * source.columns() + k)))) {
                throw notFinite(source, row, k, "weight");
            }
        }
    }

    private static boolean isFinite(short half) {
        return (half & 0x7c00) != 0x7c00;
    }

    private static IllegalArgumentException notFinite(Tensor source, int row, int column, String what) {
        return new IllegalArgumentException("the %s of %s at row %d, column %d is not finite; the model cannot be run"
                .formatted(what, source, row, column));
    }
}
