package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products of every type on the stand-in driver give the bits of the plain loops under every schedule. */
@Tag("cuda")
class MatrixProductsTest {
    private final Kernels expected = new ReferenceKernels();
    private final Random random = new Random(5);

    @BeforeEach
    void needsTheStandIn() {
        StandIn.require();
    }

    @AfterEach
    void nothingIsLeft() {
        StandIn.requireNothingLeft();
    }

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
                    Tensor x = work.floats(columns);
                    Tensor y = work.floats(w.rows());
                    Tensor onDevice = work.upload(y);

                    work.products.multiply(
                            StackedMatrix.of(work.upload(w)), work.upload(bias), work.upload(x), onDevice, work.rows);

                    expected.matmul(w, bias, x, count, y);
                    work.requireEqual(onDevice, y);
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
            Tensor x = work.floats(256);
            Tensor y = work.floats(w.rows());
            Tensor onDevice = work.upload(y);
            StackedMatrix uploaded =
                    new StackedMatrix(w.parts().stream().map(work::upload).toList());

            work.products.multiply(uploaded, null, work.upload(x), onDevice, work.rows);

            expected.matmul(w, null, x, 3, y);
            work.requireEqual(onDevice, y);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void multipliesInChunks(DType type) {
        // heads of 80 columns cut weight blocks; five heads of feed-forward leave some chunks empty
        ReductionChunks attention = ReductionChunks.attention(16, 4, 80);
        ReductionChunks feedForward = ReductionChunks.feedForward(6, 3, type.quantised() ? 256 : 200);
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
            Tensor x = work.floats(chunks.columns(fromGroup, toGroup));
            Tensor[] sums = IntStream.range(0, w.nodes().size())
                    .mapToObj(n -> work.floats(70))
                    .toArray(Tensor[]::new);
            Tensor[] onDevice = java.util.Arrays.stream(sums).map(work::upload).toArray(Tensor[]::new);

            work.products.multiplyChunks(uploaded, work.upload(x), onDevice, work.rows);

            expected.matmulChunks(w, x, 3, sums);
            for (int n = 0; n < sums.length; n++) {
                work.requireEqual(onDevice[n], sums[n]);
            }
        }
    }

    /** A device, and tensors on the host and on it. */
    private final class Work implements AutoCloseable {
        private final Arena arena = Arena.ofShared();
        private final CudaDevice device = new CudaDevice(0);
        private final CudaStream stream = device.stream();
        private final MatrixProducts products = new MatrixProducts(stream);
        private final StepRows rows;

        Work(int count, int bucket) {
            MemorySegment memory = device.memory().allocate(arena, DeviceMemory.Use.WORKSPACE, Integer.BYTES);
            stream.upload(arena.allocateFrom(ValueLayout.JAVA_INT, count), memory);
            rows = new StepRows(memory, bucket);
        }

        Tensor floats(int columns) {
            return Samples.floats(arena, rows.bucket(), columns, random);
        }

        Tensor upload(Tensor host) {
            return new Tensor(host.type(), host.rows(), host.columns(), upload(host.memory()));
        }

        PackedMatrix upload(PackedMatrix host) {
            return new PackedMatrix(host.type(), host.rows(), host.firstColumn(), host.pieces(), upload(host.memory()));
        }

        private MemorySegment upload(MemorySegment host) {
            MemorySegment memory = device.memory().allocate(arena, DeviceMemory.Use.WORKSPACE, host.byteSize());
            stream.upload(host, memory);
            stream.synchronize();
            return memory;
        }

        void requireEqual(Tensor onDevice, Tensor wanted) {
            Tensor got = Tensor.floats(arena, wanted.rows(), wanted.columns());
            stream.download(onDevice.memory(), got.memory());
            stream.synchronize();
            assertThat(got.copyRows(0, got.rows())).isEqualTo(wanted.copyRows(0, wanted.rows()));
        }

        @Override
        public void close() {
            products.close();
            stream.close();
            arena.close();
            device.close();
        }
    }
}
