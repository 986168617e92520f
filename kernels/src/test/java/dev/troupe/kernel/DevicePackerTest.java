package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.MatrixPacker.Rows;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DevicePackerTest {
    private final Arena arena = Arena.ofAuto();
    private final Random random = new Random(7);
    private final FarMemory memory = new FarMemory();

    /** Counts what is taken of it. */
    private static final class CountedArena implements Arena {
        final Arena arena = Arena.ofAuto();
        long bytes;

        @Override
        public MemorySegment allocate(long byteSize, long byteAlignment) {
            bytes += byteSize;
            return arena.allocate(byteSize, byteAlignment);
        }

        @Override
        public MemorySegment.Scope scope() {
            return arena.scope();
        }

        @Override
        public void close() {
            throw new UnsupportedOperationException();
        }
    }

    /** Parts that begin and end inside of groups of rows, packed a group, two groups and all at a time. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void packsAsOnTheHostInPiecesOfAnySize(DType type) {
        Tensor first = Samples.weights(arena, type, 60, 512, random);
        Tensor second = Samples.weights(arena, type, 70, 512, random);
        List<Rows> parts =
                List.of(new Rows(first, 7, 50), new Rows(second, 3, 3), new Rows(second, 1, 69), Rows.of(first));
        PackedMatrix expected = MatrixPacker.pack(arena, parts);

        for (long bytes : new long[] {1, 2 * expected.groupBytes() + 5, 1 << 30}) {
            PackedMatrix packed = new DevicePacker(memory, arena, arena, bytes).pack(parts);

            assertThat(packed.rows()).isEqualTo(expected.rows());
            assertThat(packed.memory().mismatch(expected.memory())).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void packsChunksAsOnTheHost(DType type) {
        Tensor source = Samples.weights(arena, type, 75, 1024, random);
        ReductionChunks chunks = ReductionChunks.feedForward(8, 4, 1024);
        ChunkedMatrix expected = MatrixPacker.packChunks(arena, source, chunks, 1, 3);

        ChunkedMatrix packed = new DevicePacker(memory, arena, arena, 1).packChunks(source, chunks, 1, 3);

        assertThat(packed.fromGroup()).isEqualTo(1);
        assertThat(packed.chunks()).hasSameSizeAs(expected.chunks());
        for (int c = 0; c < packed.chunks().size(); c++) {
            PackedMatrix chunk = packed.chunks().get(c);
            assertThat(chunk.firstColumn()).isEqualTo(expected.chunks().get(c).firstColumn());
            assertThat(chunk.memory().mismatch(expected.chunks().get(c).memory()))
                    .isEqualTo(-1);
        }
    }

    @Test
    void needsAPieceOfTheHostsMemoryHoweverLargeTheMatrix() {
        Tensor source = Samples.weights(arena, DType.BF16, 640, 512, random);
        long piece = 3L * 32 * 1024;
        CountedArena scratch = new CountedArena();

        new DevicePacker(memory, arena, scratch, piece).pack(List.of(Rows.of(source)));

        assertThat(scratch.bytes).isEqualTo(piece + 64);
        assertThat(memory.largest()).isEqualTo(piece);
        assertThat(memory.written()).isEqualTo(640 * 1024);
    }

    @Test
    void packsOnceWhereTheMemoryIsTheHosts() {
        Tensor source = Samples.weights(arena, DType.Q8_0, 40, 64, random);
        CountedArena scratch = new CountedArena();

        PackedMatrix packed = new DevicePacker(DeviceMemory.host(), arena, scratch, 1).pack(List.of(Rows.of(source)));

        assertThat(packed.memory().mismatch(MatrixPacker.pack(arena, source).memory()))
                .isEqualTo(-1);
        assertThat(scratch.bytes).isZero();
    }
}
