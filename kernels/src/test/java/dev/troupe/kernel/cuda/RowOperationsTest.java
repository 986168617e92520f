package dev.troupe.kernel.cuda;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.Tensor;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The operations on the stand-in driver, by JCuda's own native library, give the bits of the plain loops under every schedule. */
@StandInTest
class RowOperationsTest {
    private static final int BUCKET = 4;
    private static final int COUNT = 3;

    private final Kernels expected = new ReferenceKernels();
    private final Random random = new Random(11);

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 64, 257, 1025})
    void addsRows(int n) {
        everySchedule(work -> {
            Tensor a = work.floats(BUCKET, n);
            Tensor b = work.floats(BUCKET, n);
            Tensor onDevice = work.upload(a);

            work.operations.add(work.stream, onDevice, work.upload(b), work.rows);

            expected.add(a, b, COUNT);
            work.requireEqual(onDevice, a);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 32, 33, 576, 2049, 4100})
    void normsRows(int n) {
        everySchedule(work -> {
            Tensor x = work.floats(BUCKET, n);
            Tensor w = work.floats(1, n);
            Tensor y = work.floats(BUCKET, n);
            Tensor onDevice = work.upload(y);

            work.operations.rmsNorm(work.stream, work.upload(x), work.upload(w), 1e-5f, onDevice, work.rows);

            expected.rmsNorm(x, w, 1e-5f, COUNT, y);
            work.requireEqual(onDevice, y);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 33, 576, 2049, 4100})
    void normsWhatRowsBecomeByAnAddition(int n) {
        everySchedule(work -> {
            Tensor residual = work.floats(BUCKET, n);
            Tensor x = work.floats(BUCKET, n);
            Tensor w = work.floats(1, n);
            Tensor y = work.floats(BUCKET, n);
            Tensor sum = work.upload(residual);
            Tensor onDevice = work.upload(y);

            work.operations.addRmsNorm(work.stream, sum, work.upload(x), work.upload(w), 1e-5f, onDevice, work.rows);

            expected.addRmsNorm(residual, x, w, 1e-5f, COUNT, y);
            work.requireEqual(sum, residual);
            work.requireEqual(onDevice, y);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 33, 64, 128})
    void normsSomeHeadsInPlace(int headDim) {
        everySchedule(work -> {
            Tensor x = work.floats(BUCKET, 5 + 4 * headDim);
            Tensor w = work.floats(1, headDim);
            Tensor onDevice = work.upload(x);

            work.operations.rmsNormHeads(work.stream, onDevice, 5, 3, work.upload(w), 1e-6f, work.rows);

            expected.rmsNormHeads(x, 5, 3, w, 1e-6f, COUNT);
            work.requireEqual(onDevice, x);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 100, 256, 301})
    void gatesRows(int n) {
        everySchedule(work -> {
            Tensor gateUp = work.floats(BUCKET, 2 * n);
            for (int i = 0; i < Math.min(n, EDGES.length); i++) {
                gateUp.set(0, i, EDGES[i]);
            }
            Tensor y = work.floats(BUCKET, n);
            Tensor onDevice = work.upload(y);

            work.operations.swiglu(work.stream, work.upload(gateUp), onDevice, work.rows);

            expected.swiglu(gateUp, COUNT, y);
            work.requireEqual(onDevice, y);
        });
    }

    /** Where exp takes another path, or its result is subnormal, tiny or huge. */
    private static final float[] EDGES = {
        0f, -0f, 87f, 87.5f, -87f, -88.5f, -88.8f, 88.8f, 1e-30f, -1e-42f, 20f, -20f, 1e30f, -1e30f, 0.5f
    };

    private interface Check {
        void run(Work work);
    }

    private void everySchedule(Check check) {
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            StandIn.set("schedule", schedule);
            try (Work work = new Work()) {
                check.run(work);
            }
        }
    }

    /** The operations on a device, for some rows of which not all take part. */
    private final class Work implements AutoCloseable {
        private final DeviceWork device = new DeviceWork();
        private final CudaStream stream = device.stream;
        private final RowOperations operations = device.closing(new RowOperations(device.device));
        private final StepRows rows = device.rows(COUNT, BUCKET);

        Tensor floats(int count, int columns) {
            return Samples.floats(device.arena, count, columns, random);
        }

        Tensor upload(Tensor host) {
            return device.upload(host);
        }

        void requireEqual(Tensor onDevice, Tensor wanted) {
            device.requireEqual("result", onDevice, wanted);
        }

        @Override
        public void close() {
            device.close();
        }
    }
}
