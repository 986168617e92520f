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
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products of every type on the stand-in driver give the bits of the plain loops under every schedule. */
@StandInTest
class MatrixProductsTest {
    private final Kernels expected = new ReferenceKernels();
    private final Random random = new Random(5);

    @ParameterizedTest
    @EnumSource(DType.class)
    void multiplies(DType type) {
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            StandIn.set("schedule", schedule);
            for (int count : new int[] {1, 5}) {
                try (Work work = new Work(count, 8)) {
                    int columns = type.quantised() ? 256 * (2 + schedule % 2) : 300 + schedule;
                    PackedMatrix w =
                            MatrixPacker.pack(work.arena, Samples.weights(work.arena, type, 299, columns, random));
                    Tensor bias = Samples.floats(work.arena, 1, w.rows(), random);
                    Tensor x = Samples.floats(work.arena, work.rows.bucket(), columns, random);
                    Tensor y = Samples.floats(work.arena, work.rows.bucket(), w.rows(), random);
                    Tensor onDevice = work.device.upload(y);

                    work.products.multiply(
                            StackedMatrix.of(work.upload(w)),
                            work.device.upload(bias),
                            work.device.upload(x),
                            onDevice,
                            work.rows);

                    expected.matmul(w, bias, x, count, y);
                    work.device.requireEqual("y", onDevice, y);
                }
            }
        }
    }

    @Test
    void multipliesPartsOfDifferentTypesBelowEachOther() {
        try (Work work = new Work(3, 4)) {
            StackedMatrix w = new StackedMatrix(List.of(
                    MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.Q8_0, 40, 256, random)),
                    MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.BF16, 33, 256, random)),
                    MatrixPacker.pack(work.arena, Samples.weights(work.arena, DType.Q4_K, 64, 256, random))));
            Tensor x = Samples.floats(work.arena, work.rows.bucket(), 256, random);
            Tensor y = Samples.floats(work.arena, work.rows.bucket(), w.rows(), random);
            Tensor onDevice = work.device.upload(y);
            StackedMatrix uploaded =
                    new StackedMatrix(w.parts().stream().map(work::upload).toList());

            work.products.multiply(uploaded, null, work.device.upload(x), onDevice, work.rows);

            expected.matmul(w, null, x, 3, y);
            work.device.requireEqual("y", onDevice, y);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void multipliesPartsOfOneTypeTogether(DType type) {
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            StandIn.set("schedule", schedule);
            try (Work work = new Work(3, 4)) {
                StackedMatrix w = new StackedMatrix(IntStream.of(300, 33, 64)
                        .mapToObj(rows ->
                                MatrixPacker.pack(work.arena, Samples.weights(work.arena, type, rows, 256, random)))
                        .toList());
                Tensor bias = Samples.floats(work.arena, 1, w.rows(), random);
                Tensor x = Samples.floats(work.arena, work.rows.bucket(), 256, random);
                Tensor y = Samples.floats(work.arena, work.rows.bucket(), w.rows(), random);
                Tensor onDevice = work.device.upload(y);
                StackedMatrix uploaded =
                        new StackedMatrix(w.parts().stream().map(work::upload).toList());
                long before = StandIn.count("launches");

                work.products.multiply(uploaded, work.device.upload(bias), work.device.upload(x), onDevice, work.rows);

                expected.matmul(w, bias, x, 3, y);
                work.device.requireEqual("y", onDevice, y);
                assertThat(StandIn.count("launches") - before).isEqualTo(type.quantised() ? 2 : 1);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void multipliesInChunks(DType type) {
        // heads of 80 columns cut weight blocks; of six chunks of three blocks some are empty
        ReductionChunks attention = ReductionChunks.attention(16, 4, 80);
        ReductionChunks feedForward = ReductionChunks.feedForward(6, 3, type.blockSize() > 32 ? 256 : 96);
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            StandIn.set("schedule", schedule);
            chunks(type, attention, 1, 4);
            chunks(type, attention, 0, 4);
            chunks(type, feedForward, 0, 2);
        }
    }

    private void chunks(DType type, ReductionChunks chunks, int fromGroup, int toGroup) {
        try (Work work = new Work(3, 4)) {
            int columns = chunks.groupStart(chunks.groups());
            Tensor matrix = Samples.weights(work.arena, type, 70, columns, random);
            ChunkedMatrix w = MatrixPacker.packChunks(work.arena, matrix, chunks, fromGroup, toGroup);
            ChunkedMatrix uploaded = new ChunkedMatrix(
                    w.groups(),
                    w.subChunks(),
                    w.fromGroup(),
                    w.chunks().stream().map(work::upload).toList());
            Tensor x = Samples.floats(work.arena, work.rows.bucket(), chunks.columns(fromGroup, toGroup), random);
            Tensor[] sums = IntStream.range(0, w.nodes().size())
                    .mapToObj(n -> Samples.floats(work.arena, work.rows.bucket(), 70, random))
                    .toArray(Tensor[]::new);
            Tensor[] onDevice = Arrays.stream(sums).map(work.device::upload).toArray(Tensor[]::new);

            work.products.multiplyChunks(uploaded, work.device.upload(x), onDevice, work.rows);

            expected.matmulChunks(w, x, 3, sums);
            for (int n = 0; n < sums.length; n++) {
                work.device.requireEqual(type.label(), onDevice[n], sums[n]);
            }
        }
    }

    /** Products on a device, of activations with some rows that take part. */
    private static final class Work implements AutoCloseable {
        private final DeviceWork device = new DeviceWork();
        private final Arena arena = device.arena;
        private final MatrixProducts products = device.closing(new MatrixProducts(device.stream, Numerics.EXACT));
        private final StepRows rows;

        Work(int count, int bucket) {
            rows = device.rows(count, bucket);
        }

        PackedMatrix upload(PackedMatrix host) {
            return new PackedMatrix(
                    host.type(), host.rows(), host.firstColumn(), host.pieces(), device.upload(host.memory()));
        }

        @Override
        public void close() {
            device.close();
        }
    }
}
