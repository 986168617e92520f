package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Products of fast kernels on the stand-in driver are as near to float64 as is said, whatever takes part beside them. */
@StandInTest
abstract class FastProductsContract {
    final Random random = new Random(13);
    private long conflicts;

    /** Compute capability of the device, without its point. */
    abstract int capability();

    /** A kernel of bf16 that multiplies some tokens. */
    abstract String kernelOfSomeTokens();

    @BeforeEach
    void needsADeviceOfTheCapability() {
        StandIn.set("capability", capability());
        conflicts = StandIn.count("bank_conflicts");
    }

    @AfterEach
    void noConflicts() {
        assertThat(StandIn.count("bank_conflicts")).isEqualTo(conflicts);
    }

    /** The tokens that take part, and those that the launch is for. */
    record Tokens(int count, int bucket) {}

    static final List<Tokens> TOKENS = List.of(
            new Tokens(1, 1),
            new Tokens(8, 8),
            new Tokens(9, 16),
            new Tokens(17, 64),
            new Tokens(33, 33),
            new Tokens(64, 64),
            new Tokens(1, 65),
            new Tokens(65, 65),
            new Tokens(200, 200));

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "F16"})
    void areNearFloat64(DType type) {
        for (int i = 0; i < TOKENS.size(); i++) {
            StandIn.set("schedule", i % StandIn.SCHEDULES);
            Tokens tokens = TOKENS.get(i);
            try (DeviceWork work = new DeviceWork()) {
                int columns = i == 0 ? 1 : 90 + 37 * i;
                Tensor w = Samples.weights(work.arena, type, 130 + 3 * i, columns, random);
                Tensor x = Samples.floats(work.arena, tokens.bucket(), columns, random);
                Tensor bias = i % 2 == 0 ? Samples.floats(work.arena, 1, w.rows(), random) : null;

                Tensor y = multiply(work, MatrixPacker.pack(work.arena, w), bias, x, tokens);

                requireNear(w, x, bias, tokens.count(), y);
                for (int t = tokens.count(); t < tokens.bucket(); t++) {
                    assertThat(y.get(t, 0)).as("row %d takes no part", t).isEqualTo(7f);
                }
            }
        }
    }

    /** Activations that f16 cannot hold, nor its smallest numbers: a token's are scaled together. */
    @ParameterizedTest
    @ValueSource(floats = {1e-30f, 1e-7f, 1e6f, 1e30f})
    void takeActivationsOfAnySize(float size) {
        for (DType type : List.of(DType.BF16, DType.F16)) {
            try (DeviceWork work = new DeviceWork()) {
                Tensor w = Samples.weights(work.arena, type, 40, 300, random);
                Tensor x = Samples.floats(work.arena, 3, 300, random);
                for (int k = 0; k < 300; k++) {
                    x.set(1, k, x.get(1, k) * size);
                    x.set(2, k, 0);
                }

                Tensor y = multiply(work, MatrixPacker.pack(work.arena, w), null, x, new Tokens(3, 3));

                requireNear(w, x, null, 3, y);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void areNotFiniteWhereAnActivationIsNot(float value) {
        for (DType type : List.of(DType.BF16, DType.F16)) {
            for (int tokens : new int[] {9, 70}) {
                try (DeviceWork work = new DeviceWork()) {
                    Tensor w = Samples.weights(work.arena, type, 40, 100, random);
                    Tensor x = Samples.floats(work.arena, tokens, 100, random);
                    x.set(4, 50, value);

                    Tensor y = multiply(work, MatrixPacker.pack(work.arena, w), null, x, new Tokens(tokens, tokens));

                    for (int t = 0; t < tokens; t++) {
                        assertThat(Float.isFinite(y.get(t, 3))).isEqualTo(t != 4);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "F16"})
    void ofATokenDependOnNoOther(DType type) {
        try (DeviceWork work = new DeviceWork()) {
            PackedMatrix w = MatrixPacker.pack(work.arena, Samples.weights(work.arena, type, 140, 330, random));
            Tensor x = Samples.floats(work.arena, 130, 330, random);

            Tensor many = multiply(work, w, null, x, new Tokens(130, 130));

            for (int tokens : new int[] {1, 9, 64, 65}) {
                Tensor some = multiply(work, w, null, x, new Tokens(tokens, tokens));
                for (int t = 0; t < tokens; t++) {
                    for (int r = 0; r < 140; r++) {
                        assertThat(some.get(t, r)).isEqualTo(many.get(t, r));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "F16"})
    void ofChunksAreSummedByTheTree(DType type) {
        // heads of 40 columns end inside a line of 32; of six chunks of three blocks some are empty; 18 are more than
        // one launch may take
        for (ReductionChunks chunks : List.of(
                ReductionChunks.attention(16, 4, 40),
                ReductionChunks.feedForward(6, 3, 96),
                ReductionChunks.attention(18, 18, 24))) {
            for (Tokens tokens : List.of(new Tokens(3, 4), new Tokens(19, 24), new Tokens(70, 72))) {
                try (DeviceWork work = new DeviceWork()) {
                    Tensor w = Samples.weights(work.arena, type, 70, chunks.groupStart(chunks.groups()), random);
                    ChunkedMatrix packed = MatrixPacker.packChunks(work.arena, w, chunks, 0, chunks.groups());
                    Tensor x = Samples.floats(work.arena, tokens.bucket(), w.columns(), random);
                    Tensor y = work.upload(Samples.floats(work.arena, tokens.bucket(), 70, random));
                    MatrixProducts products = work.closing(new MatrixProducts(work.stream, Numerics.FAST));

                    products.multiplyChunks(
                            new ChunkedMatrix(
                                    packed.groups(),
                                    packed.subChunks(),
                                    packed.fromGroup(),
                                    packed.chunks().stream()
                                            .map(part -> uploaded(work, part))
                                            .toList()),
                            work.upload(x),
                            new Tensor[] {y},
                            work.rows(tokens.count(), tokens.bucket()));

                    requireNear(w, x, null, tokens.count(), downloaded(work, y));
                }
            }
        }
    }

    /** Other types have the bits of the plain loops in fast mode too. */
    @Test
    void takeTypesWithoutAFastKernelAsExactOnesDo() {
        try (DeviceWork work = new DeviceWork()) {
            Tensor bf16 = Samples.weights(work.arena, DType.BF16, 33, 256, random);
            StackedMatrix w = new StackedMatrix(List.of(
                    MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.Q8_0, 40, 256, random)),
                    MatrixPacker.pack(work.arena, bf16),
                    MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.F32, 65, 256, random))));
            Tensor x = Samples.floats(work.arena, 11, 256, random);
            Tensor exact = Tensor.floats(work.arena, 11, w.rows());
            try (ReferenceKernels kernels = new ReferenceKernels()) {
                kernels.matmul(w, null, x, 11, exact);
            }

            Tensor y = multiply(work, w, null, x, new Tokens(11, 11));

            for (int t = 0; t < 11; t++) {
                for (int r = 0; r < w.rows(); r++) {
                    if (r < 40 || r >= 73) {
                        assertThat(y.get(t, r)).isEqualTo(exact.get(t, r));
                    } else {
                        requireNear(bf16, r - 40, x, t, 0, y.get(t, r));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void passTheCheckOfADeviceUnlessABitIsWrong(boolean broken) {
        String kernel = "broken:" + kernelOfSomeTokens();
        StandIn.set(kernel, broken ? 1 : 0);
        try (DeviceWork work = new DeviceWork();
                CudaKernels kernels = new CudaKernels(work.device, Numerics.FAST)) {
            String difference = FastCheck.difference(kernels);

            assertThat(difference == null).isEqualTo(!broken);
        } finally {
            StandIn.set(kernel, 0);
        }
    }

    static Tensor multiply(DeviceWork work, PackedMatrix w, @Nullable Tensor bias, Tensor x, Tokens tokens) {
        return multiply(work, StackedMatrix.of(w), bias, x, tokens);
    }

    /** Rows that take no part are 7. */
    static Tensor multiply(DeviceWork work, StackedMatrix w, @Nullable Tensor bias, Tensor x, Tokens tokens) {
        MatrixProducts products = work.closing(new MatrixProducts(work.stream, Numerics.FAST));
        Tensor y = Tensor.floats(work.arena, tokens.bucket(), w.rows());
        IntStream.range(0, tokens.bucket())
                .forEach(t -> IntStream.range(0, w.rows()).forEach(r -> y.set(t, r, 7)));
        Tensor onDevice = work.upload(y);
        products.multiply(
                new StackedMatrix(
                        w.parts().stream().map(part -> uploaded(work, part)).toList()),
                bias == null ? null : work.upload(bias),
                work.upload(x),
                onDevice,
                work.rows(tokens.count(), tokens.bucket()));
        return downloaded(work, onDevice);
    }

    private static Tensor downloaded(DeviceWork work, Tensor onDevice) {
        return new Tensor(DType.F32, onDevice.rows(), onDevice.columns(), work.download(onDevice.memory()));
    }

    private static PackedMatrix uploaded(DeviceWork work, PackedMatrix host) {
        return new PackedMatrix(
                host.type(), host.rows(), host.firstColumn(), host.pieces(), work.upload(host.memory()));
    }

    private static void requireNear(Tensor w, Tensor x, @Nullable Tensor bias, int tokens, Tensor y) {
        for (int t = 0; t < tokens; t++) {
            for (int r = 0; r < w.rows(); r++) {
                requireNear(w, r, x, t, bias == null ? 0 : bias.get(0, r), y.get(t, r));
            }
        }
    }

    /** By {@link FastCheck#bound}, and where a bias is added by its rounding. */
    private static void requireNear(Tensor w, int row, Tensor x, int token, float bias, float got) {
        double sum = bias;
        double magnitude = 0;
        for (int k = 0; k < w.columns(); k++) {
            double term = Samples.value(w, row, k) * x.get(token, k);
            sum += term;
            magnitude += Math.abs(term);
        }
        double bound = FastCheck.bound(w.type(), w.columns()) * magnitude + Math.abs(sum) * 0x1p-24;
        assertThat(Math.abs(got - sum))
                .as("token %d, row %d: %s, expected %s", token, row, got, sum)
                .isLessThanOrEqualTo(bound);
    }
}
