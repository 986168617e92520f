package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.troupe.kernel.Samples;
import dev.troupe.kernel.cuda.driver.DeviceMemoryException;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The memory that models and caches see, on the stand-in driver. */
@StandInTest
class CudaMemoryTest {
    /** More than both staging buffers, and no multiple of one. */
    private static final int MANY_BYTES = (13 << 20) + 5;

    @Test
    void isZeroAtFirst() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            CudaMemory memory = work.closing(new CudaMemory(work.stream));
            MemorySegment host = work.arena.allocate(1000).fill((byte) 7);

            MemorySegment onDevice = memory.allocate(work.arena, 1000, Use.WORKSPACE);
            memory.read(onDevice, host);

            assertThat(host.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        }
    }

    @Test
    void readsWhatWasWrittenHoweverMuch() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            CudaMemory memory = work.closing(new CudaMemory(work.stream));
            byte[] bytes = new byte[MANY_BYTES];
            new Random(3).nextBytes(bytes);
            byte[] got = new byte[MANY_BYTES];
            MemorySegment onDevice = memory.allocate(work.arena, MANY_BYTES + 1, Use.WEIGHTS);

            memory.write(onDevice, MemorySegment.ofArray(bytes));
            memory.read(onDevice, MemorySegment.ofArray(got));

            assertThat(got).isEqualTo(bytes);
        }
    }

    @Test
    void readsAfterTheWorkOfItsStream() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            CudaMemory memory = work.closing(new CudaMemory(work.stream));
            RowOperations operations = work.closing(new RowOperations(work.device));
            Tensor a = Samples.row(work.arena, 1f, 2f);
            Tensor onDevice = work.upload(a);

            operations.add(work.stream, onDevice, work.upload(a), work.rows(1, 1));

            assertThat(memory.read(onDevice, 1).toArray()).containsExactly(2f, 4f);
        }
    }

    @Test
    void saysWhatHoldsTheMemoryThatIsMissing() throws Exception {
        StandIn.set("memory", 20 << 20);
        try (DeviceWork work = new DeviceWork()) {
            CudaMemory memory = work.closing(new CudaMemory(work.stream));
            memory.allocate(work.arena, 12 << 20, Use.KEYS_AND_VALUES);

            assertThatExceptionOfType(DeviceMemoryException.class)
                    .isThrownBy(() -> memory.allocate(work.arena, 10 << 20, Use.WEIGHTS))
                    .withMessageContaining("has no room for weights 10 MB")
                    .withMessageContaining("KV 12 MB");
            assertThatExceptionOfType(DeviceMemoryException.class)
                    .isThrownBy(() -> memory.requireRoom(Map.of(Use.WEIGHTS, 6L << 20, Use.WORKSPACE, 4L << 20)))
                    .withMessage(
                            "device 0 (Stand-in 0) has no room for weights 6 MB, KV 0 bytes, workspace 4 MB: 8 MB of"
                                    + " 20 MB are free, and this process holds weights 0 bytes, KV 12 MB, workspace 0 bytes");
            memory.requireRoom(Map.of(Use.WEIGHTS, 4L << 20, Use.WORKSPACE, 4L << 20));
        }
    }
}
