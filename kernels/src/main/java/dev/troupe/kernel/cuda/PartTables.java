package dev.troupe.kernel.cuda;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.ColumnPieces;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * What product kernels read about matrices, in the memory of the device: the structs {@code matmul_part}, {@code blocks_part},
 * {@code round_chunk} and {@code rounded_piece} of the kernels' sources. Made when a matrix is first multiplied, kept until the end.
 */
final class PartTables implements AutoCloseable {
    private static final int FLOAT_PART = 24;
    private static final int BLOCK_PART = 40;
    private static final int CHUNK = 24;
    private static final int PIECE = 24;

    private final CudaStream stream;
    private final Arena arena = Arena.ofShared();
    private final IdentityHashMap<Object, List<Table>> known = new IdentityHashMap<>();
    private final IdentityHashMap<ChunkedMatrix, Merges> merges = new IdentityHashMap<>();

    PartTables(CudaStream stream) {
        this.stream = stream;
    }

    /**
     * Parts of one type that are multiplied together: some below each other, or the chunks of a row-parallel matrix.
     *
     * @param parts {@code matmul_part} or {@code blocks_part}
     * @param chunks {@code round_chunk}s, one for all parts below each other; empty for float types
     * @param chunkCount how many
     * @param matrices the parts
     * @param pieces of all chunks of a token together
     */
    record Table(MemorySegment parts, MemorySegment chunks, int chunkCount, List<PackedMatrix> matrices, int pieces) {
        /** Most groups of 32 rows of a part. */
        int groups() {
            return matrices.stream().mapToInt(PackedMatrix::groups).max().orElse(0);
        }

        /** Most pieces of a chunk. */
        int mostPieces() {
            return matrices.stream()
                    .mapToInt(part -> part.pieces().count())
                    .max()
                    .orElse(0);
        }
    }

    /**
     * How the sums of chunks are added, an {@code int} for each chunk.
     *
     * @param merges additions after it
     * @param ends node that ends with it, or −1
     */
    record Merges(MemorySegment merges, MemorySegment ends) {}

    /** The tables of parts below each other, one for each series of parts that have the same type and blocks. */
    List<Table> stacked(StackedMatrix matrix) {
        return known.computeIfAbsent(matrix, any -> {
            List<Table> tables = new ArrayList<>();
            List<PackedMatrix> parts = matrix.parts();
            int row = 0;
            for (int from = 0, to; from < parts.size(); from = to) {
                PackedMatrix first = parts.get(from);
                for (to = from + 1; to < parts.size() && alike(first, parts.get(to)); ) {
                    to++;
                }
                tables.add(table(parts.subList(from, to), row, false));
                for (PackedMatrix part : parts.subList(from, to)) {
                    row += part.rows();
                }
            }
            return List.copyOf(tables);
        });
    }

    /** Whether two parts below each other take the same activations, rounded alike. */
    private static boolean alike(PackedMatrix a, PackedMatrix b) {
        return a.type() == b.type() && a.pieces().gridOffset() == b.pieces().gridOffset();
    }

    /** The table of the chunks of a matrix. */
    Table chunks(ChunkedMatrix matrix) {
        return known.computeIfAbsent(matrix, any -> List.of(table(matrix.chunks(), 0, true)))
                .getFirst();
    }

    /** The tree of a matrix. */
    Merges merges(ChunkedMatrix matrix) {
        return merges.computeIfAbsent(matrix, any -> {
            int chunks = matrix.chunks().size();
            try (Arena scratch = Arena.ofConfined()) {
                MemorySegment after = scratch.allocate(4L * chunks, 8);
                MemorySegment ends = scratch.allocate(4L * chunks, 8);
                for (int c = 0; c < chunks; c++) {
                    ints(after, 4L * c, matrix.mergesAfter(c));
                    ints(ends, 4L * c, matrix.nodeEndingAt(c));
                }
                return new Merges(place(after), place(ends));
            }
        });
    }

    /**
     * @param firstRow of the stack, where the first part goes
     * @param chunks whether parts have columns and sums of their own; else they lie below each other and share the first one's chunk
     */
    private Table table(List<PackedMatrix> matrices, int firstRow, boolean chunks) {
        boolean blocks = matrices.getFirst().type().quantised();
        try (Arena scratch = Arena.ofConfined()) {
            int bytes = blocks ? BLOCK_PART : FLOAT_PART;
            MemorySegment parts = scratch.allocate((long) bytes * matrices.size(), 8);
            int chunkCount = chunks ? matrices.size() : 1;
            MemorySegment rounding = scratch.allocate((long) CHUNK * chunkCount, 8);
            int row = firstRow;
            int first = 0;
            for (int i = 0; i < matrices.size(); i++) {
                PackedMatrix matrix = matrices.get(i);
                MemorySegment part = parts.asSlice((long) bytes * i, bytes);
                part.set(ValueLayout.JAVA_LONG, 0, matrix.address());
                if (blocks) {
                    MemorySegment pieces = place(pieces(matrix, scratch));
                    part.set(ValueLayout.JAVA_LONG, 8, pieces.address());
                    part.set(ValueLayout.JAVA_LONG, 16, matrix.groupBytes());
                    ints(part, 24, matrix.rows(), matrix.pieces().count(), first, row);
                    if (i < chunkCount) {
                        MemorySegment chunk = rounding.asSlice((long) CHUNK * i, CHUNK);
                        chunk.set(ValueLayout.JAVA_LONG, 0, pieces.address());
                        ints(chunk, 8, matrix.pieces().count(), matrix.columns(), matrix.firstColumn(), first);
                    }
                } else {
                    ints(part, 8, matrix.rows(), matrix.columns(), matrix.firstColumn(), row);
                }
                first += chunks ? matrix.pieces().count() : 0;
                row += chunks ? 0 : matrix.rows();
            }
            int pieces = chunks ? first : matrices.getFirst().pieces().count();
            MemorySegment placed = blocks ? place(rounding) : MemorySegment.NULL;
            return new Table(place(parts), placed, chunkCount, List.copyOf(matrices), pieces);
        }
    }

    private static MemorySegment pieces(PackedMatrix matrix, Arena scratch) {
        ColumnPieces pieces = matrix.pieces();
        PackedFormat format = PackedFormat.of(matrix.type());
        MemorySegment table = scratch.allocate(Math.max(1, (long) PIECE * pieces.count()), 8);
        for (int p = 0; p < pieces.count(); p++) {
            int run = pieces.run(p);
            ints(
                    table,
                    (long) PIECE * p,
                    pieces.start(p),
                    pieces.length(p),
                    pieces.position(p),
                    32 * pieces.activationBlock(p),
                    Math.toIntExact(format.scaleOffset(p, run, pieces.runStart(run))),
                    Math.toIntExact(format.pieceOffset(p, run)));
        }
        return table;
    }

    private static void ints(MemorySegment to, long at, int... values) {
        for (int i = 0; i < values.length; i++) {
            to.set(ValueLayout.JAVA_INT, at + 4L * i, values[i]);
        }
    }

    private MemorySegment place(MemorySegment host) {
        MemorySegment placed = stream.device().memory().allocate(arena, DeviceMemory.Use.WEIGHTS, host.byteSize());
        stream.upload(host, placed);
        stream.synchronize();
        return placed;
    }

    @Override
    public void close() {
        arena.close();
    }
}
