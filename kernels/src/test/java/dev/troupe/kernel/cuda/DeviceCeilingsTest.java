package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaEvent;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaModule;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What measures a device does all the work that it counts, on the stand-in driver. */
@StandInTest
class DeviceCeilingsTest {
    private static final int THREADS = 256;

    private final Random random = new Random(15);

    @Test
    void measuresEverything() {
        try (CudaDevice device = new CudaDevice(0)) {
            DeviceCeilings ceilings = DeviceCeilings.measure(device, new DeviceCeilings.Effort(1 << 16, 1, 1));

            assertThat(ceilings.readBytes()).isPositive();
            assertThat(ceilings.copyBytes()).isPositive();
            assertThat(ceilings.flops()).isPositive();
            assertThat(ceilings.dots()).isPositive();
        }
    }

    @Test
    void readsEveryWord() throws Exception {
        DeviceWork.everySchedule(work -> {
            CudaModule module = work.closing(KernelImages.load(work.device, "ceilings"));
            int[] words = random.ints(4 * 4097).toArray();
            MemorySegment result = work.upload(MemorySegment.ofArray(new int[2 * THREADS / 32]));

            work.stream
                    .arguments()
                    .pointer(work.upload(MemorySegment.ofArray(words)))
                    .pointer(result)
                    .number(4097);
            work.stream.launch(module.kernel("read_memory"), 2, 1, 0);

            assertThat(IntStream.of(work.ints(result)).reduce(0, (a, b) -> a ^ b))
                    .isEqualTo(IntStream.of(words).reduce(0, (a, b) -> a ^ b));
        });
    }

    @Test
    void computesEveryChain() throws Exception {
        DeviceWork.everySchedule(work -> {
            CudaModule module = work.closing(KernelImages.load(work.device, "ceilings"));
            MemorySegment sums = work.upload(MemorySegment.ofArray(new int[THREADS]));
            MemorySegment dots = work.upload(MemorySegment.ofArray(new int[THREADS]));

            work.stream.arguments().pointer(sums).number(2).number(0.999f).number(0.001f);
            work.stream.launch(module.kernel("multiply_add"), 1, 1, 0);
            work.stream.arguments().pointer(dots).number(2).number(0x01020304).number(1);
            work.stream.launch(module.kernel("dot_bytes"), 1, 1, 0);

            assertThat(work.download(sums).toArray(ValueLayout.JAVA_FLOAT)).containsOnly(multiplyAdds());
            assertThat(work.ints(dots)).containsOnly(dots());
        });
    }

    private static float multiplyAdds() {
        float sum = 0;
        for (int chain = 0; chain < 8; chain++) {
            float value = chain;
            for (int step = 0; step < 32; step++) {
                value = Math.fma(value, 0.999f, 0.001f);
            }
            sum += value;
        }
        return sum;
    }

    private static int dots() {
        int all = 0;
        for (int chain = 0; chain < 8; chain++) {
            int value = chain;
            for (int step = 0; step < 32; step++) {
                value = (byte) value * 4
                        + (byte) (value >> 8) * 3
                        + (byte) (value >> 16) * 2
                        + (byte) (value >> 24)
                        + 1;
            }
            all ^= value;
        }
        return all;
    }

    @Test
    void anEventTellsTheTimeOnlyIfItWasMadeForThat() {
        try (DeviceWork work = new DeviceWork()) {
            CudaEvent start = work.closing(CudaEvent.timed(work.device));
            CudaEvent end = work.closing(CudaEvent.timed(work.device));
            CudaEvent plain = work.closing(new CudaEvent(work.device));
            for (CudaEvent event : new CudaEvent[] {start, plain, end}) {
                work.stream.record(event);
            }

            assertThatThrownBy(() -> end.secondsSince(start))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("CUDA_ERROR_NOT_READY (600)");
            end.synchronize();

            assertThat(end.secondsSince(start)).isNotNegative();
            assertThatThrownBy(() -> plain.secondsSince(start))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("CUDA_ERROR_INVALID_HANDLE (400)");
        }
    }
}
