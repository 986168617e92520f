package dev.troupe.kernel.measure;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import dev.troupe.weights.SyntheticWeights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/** Random operands in the memory of kernels: a chip that computes with zeros needs less power, and may run faster. */
final class Operands {
    private static final int PATTERN_BYTES = 1 << 20;
    private static final int MOST_COPIES = 64;
    private static final long SEED = 22;

    private final DeviceMemory memory;
    private final Arena arena;

    /** @param arena their life */
    Operands(Kernels kernels, Arena arena) {
        this.memory = kernels.memory();
        this.arena = arena;
    }

    /** Normal values. */
    Tensor floats(int rows, int columns) {
        Tensor tensor = memory.floats(arena, rows, columns);
        fill(tensor.memory(), pattern(KvType.F32));
        return tensor;
    }

    /** Normal values as keys and values. */
    void fill(KvStore store) {
        MemorySegment pattern = pattern(store.type());
        for (int layer = 0; layer < store.layers(); layer++) {
            fill(store.keys(layer), pattern);
            fill(store.values(layer), pattern);
        }
    }

    private void fill(MemorySegment device, MemorySegment pattern) {
        for (long at = 0; at < device.byteSize(); at += PATTERN_BYTES) {
            long bytes = Math.min(PATTERN_BYTES, device.byteSize() - at);
            memory.write(device.asSlice(at, bytes), pattern.asSlice(0, bytes));
        }
    }

    private static MemorySegment pattern(KvType type) {
        Random random = new Random(SEED);
        MemorySegment pattern = Arena.ofAuto().allocate(PATTERN_BYTES, 64);
        for (long at = 0; at < PATTERN_BYTES; at += type.bytes()) {
            float value = (float) random.nextGaussian();
            switch (type) {
                case F32 -> pattern.set(ValueLayout.JAVA_FLOAT, at, value);
                case F16 -> pattern.set(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16(value));
            }
        }
        return pattern;
    }

    /** Packed weights in the memory of the host. */
    PackedMatrix matrix(DType type, int rows, int columns) {
        return MatrixPacker.pack(arena, weights(type, rows, columns));
    }

    /** All chunks of a row-parallel matrix in the memory of the host. */
    ChunkedMatrix chunks(DType type, int rows, ReductionChunks chunks) {
        Tensor source = weights(type, rows, chunks.groupStart(chunks.groups()));
        return MatrixPacker.packChunks(arena, source, chunks, 0, chunks.groups());
    }

    private Tensor weights(DType type, int rows, int columns) {
        SyntheticWeights.Recipe recipe = SyntheticWeights.Recipe.of(
                "weights", type, List.of((long) rows, (long) columns), 0, (float) Math.sqrt(3.0 / columns));
        try (SyntheticWeights source = new SyntheticWeights("kernel table", SEED, List.of(recipe))) {
            return new Tensor(type, rows, columns, source.rows(recipe.tensor(), 0, rows, arena));
        }
    }

    /** Copies in the memory of the kernels that take at least {@code rotation} bytes together. */
    List<PackedMatrix> copies(PackedMatrix matrix, long rotation) {
        return Stream.generate(() -> copy(matrix))
                .limit(count(matrix.byteSize(), rotation))
                .toList();
    }

    /** The same of chunks. */
    List<ChunkedMatrix> copies(ChunkedMatrix matrix, long rotation) {
        return Stream.generate(() -> new ChunkedMatrix(
                        matrix.groups(),
                        matrix.subChunks(),
                        matrix.fromGroup(),
                        matrix.chunks().stream().map(this::copy).toList()))
                .limit(count(matrix.byteSize(), rotation))
                .toList();
    }

    private static long count(long bytes, long rotation) {
        return Math.clamp(Math.ceilDiv(rotation, bytes), 1, MOST_COPIES);
    }

    private PackedMatrix copy(PackedMatrix matrix) {
        MemorySegment copied = memory.allocate(arena, matrix.memory().byteSize(), DeviceMemory.Use.WEIGHTS);
        memory.write(copied, matrix.memory());
        return new PackedMatrix(matrix.type(), matrix.rows(), matrix.firstColumn(), matrix.pieces(), copied);
    }
}
