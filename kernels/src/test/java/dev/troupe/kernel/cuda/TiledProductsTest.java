package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products of many tokens by tiles give the bits of the plain loops, and meet no bank of shared memory twice. */
@StandInTest
class TiledProductsTest {
    private final Kernels expected = new ReferenceKernels();
    private final Random random = new Random(11);
    private long conflicts;

    @BeforeEach
    void countsConflicts() {
        conflicts = StandIn.count("bank_conflicts");
    }

    @AfterEach
    void noConflicts() {
        assertThat(StandIn.count("bank_conflicts")).isEqualTo(conflicts);
    }

    /** The tokens that take part, and those that the launch is for. */
    private record Tokens(int count, int bucket) {}

    private static final List<Tokens> TOKENS = List.of(
            new Tokens(9, 9),
            new Tokens(17, 64),
            new Tokens(33, 33),
            new Tokens(64, 64),
            new Tokens(1, 65),
            new Tokens(65, 65),
            new Tokens(129, 140));

    @ParameterizedTest
    @EnumSource(DType.class)
    void multiplies(DType type) {
        for (int i = 0; i < TOKENS.size(); i++) {
            StandIn.set("schedule", i % StandIn.SCHEDULES);
            Tokens tokens = TOKENS.get(i);
            try (DeviceWork work = new DeviceWork()) {
                // no whole stages, where blocks are smaller than one; a ragged group of rows
                int columns =
                        type.blockSize() == 256 ? 256 * (1 + i % 2) : type.quantised() ? 32 * (7 + i) : 90 + 7 * i;
                PackedMatrix w =
                        MatrixPacker.pack(work.arena, Samples.weights(work.arena, type, 150 + i, columns, random));
                Tensor bias = Samples.floats(work.arena, 1, w.rows(), random);

                multiply(work, StackedMatrix.of(w), bias, tokens);
            }
        }
    }

    @Test
    void multipliesPartsOfDifferentTypesBelowEachOther() {
        for (Tokens tokens : TOKENS) {
            try (DeviceWork work = new DeviceWork()) {
                StackedMatrix w = new StackedMatrix(List.of(
                        MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.Q8_0, 40, 256, random)),
                        MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.BF16, 33, 256, random)),
                        MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.Q6_K, 65, 256, random))));

                multiply(work, w, Samples.floats(work.arena, 1, w.rows(), random), tokens);
            }
        }
    }

    private void multiply(DeviceWork work, StackedMatrix w, Tensor bias, Tokens tokens) {
        MatrixProducts products = work.closing(new MatrixProducts(work.stream, Numerics.EXACT));
        int columns = w.parts().getFirst().columns();
        Tensor x = Samples.floats(work.arena, tokens.bucket(), columns, random);
        Tensor y = Samples.floats(work.arena, tokens.bucket(), w.rows(), random);
        Tensor onDevice = work.upload(y);
        StackedMatrix uploaded = new StackedMatrix(
                w.parts().stream().map(part -> uploaded(work, part)).toList());

        products.multiply(
                uploaded, work.upload(bias), work.upload(x), onDevice, work.rows(tokens.count(), tokens.bucket()));

        expected.matmul(w, bias, x, tokens.count(), y);
        work.requireEqual(tokens.toString(), onDevice, y);
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void multipliesInChunks(DType type) {
        // heads of 80 columns cut weight blocks; of six chunks of three blocks some are empty
        ReductionChunks attention = ReductionChunks.attention(16, 4, 80);
        ReductionChunks feedForward = ReductionChunks.feedForward(6, 3, type.blockSize() > 32 ? 256 : 96);
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            StandIn.set("schedule", schedule);
            Tokens tokens = schedule % 2 == 0 ? new Tokens(19, 24) : new Tokens(70, 72);
            chunks(type, attention, schedule < 3 ? 0 : 1, 4, tokens);
            chunks(type, feedForward, 0, 2, tokens);
        }
    }

    private void chunks(DType type, ReductionChunks chunks, int fromGroup, int toGroup, Tokens tokens) {
        try (DeviceWork work = new DeviceWork()) {
            MatrixProducts products = work.closing(new MatrixProducts(work.stream, Numerics.EXACT));
            int columns = chunks.groupStart(chunks.groups());
            Tensor matrix = Samples.weights(work.arena, type, 70, columns, random);
            ChunkedMatrix w = MatrixPacker.packChunks(work.arena, matrix, chunks, fromGroup, toGroup);
            ChunkedMatrix uploaded = new ChunkedMatrix(
                    w.groups(),
                    w.subChunks(),
                    w.fromGroup(),
                    w.chunks().stream().map(part -> uploaded(work, part)).toList());
            Tensor x = Samples.floats(work.arena, tokens.bucket(), chunks.columns(fromGroup, toGroup), random);
            Tensor[] sums = IntStream.range(0, w.nodes().size())
                    .mapToObj(n -> Samples.floats(work.arena, tokens.bucket(), 70, random))
                    .toArray(Tensor[]::new);
            Tensor[] onDevice = Arrays.stream(sums).map(work::upload).toArray(Tensor[]::new);

            products.multiplyChunks(uploaded, work.upload(x), onDevice, work.rows(tokens.count(), tokens.bucket()));

            expected.matmulChunks(w, x, tokens.count(), sums);
            for (int n = 0; n < sums.length; n++) {
                work.requireEqual(type.label(), onDevice[n], sums[n]);
            }
        }
    }

    @Test
    void manyTokensTakeTiles() {
        try (DeviceWork work = new DeviceWork()) {
            ProductKernels kernels = work.closing(new ProductKernels(work.device));

            assertThat(IntStream.of(1, 8, 9, 64, 65, 4096)
                            .mapToObj(tokens ->
                                    kernels.of(DType.Q4_K, tokens).kernel().name()))
                    .containsExactly(
                            "matmul_q4_k",
                            "matmul_q4_k",
                            "matmul_skinny_q4_k",
                            "matmul_skinny_q4_k",
                            "matmul_wide_q4_k",
                            "matmul_wide_q4_k");
            assertThat(kernels.of(DType.BF16, 64).kernel().name()).isEqualTo("matmul_bf16");
            assertThat(kernels.of(DType.BF16, 65).kernel().name()).isEqualTo("matmul_wide_bf16");
        }
    }

    private static PackedMatrix uploaded(DeviceWork work, PackedMatrix host) {
        return new PackedMatrix(
                host.type(), host.rows(), host.firstColumn(), host.pieces(), work.upload(host.memory()));
    }
}
