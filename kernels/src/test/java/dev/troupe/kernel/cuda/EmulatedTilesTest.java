package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.KernelArguments.Axis;
import dev.troupe.kernel.cuda.driver.KernelArguments.Swizzle;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The emulator copies boxes and multiplies them as compute capability 9.0 does, and sees what is wrong with the kernels of
 * {@code src/test/cuda/broken_hopper.cu}.
 */
@StandInTest
class EmulatedTilesTest {
    private static final int ROWS = 64;
    private static final int COLUMNS = 8;
    private static final int STEP = 16;
    private static final int SHARED_BYTES = 2 * STEP * 64 + COLUMNS * 128;

    @Test
    void boxesAreMultipliedAsByTensorCores() {
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            assertThat(run("sound_tile", schedule)).isEqualTo(wanted());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tile_without_wait_for_boxes",
                "tile_of_another_phase",
                "tile_that_ends_early",
                "tile_without_wait_for_product",
                "tile_overwritten_early"
            })
    void whatIsNotWaitedForIsSeen(String kernel) {
        assertThat(IntStream.range(0, StandIn.SCHEDULES).filter(schedule -> !isRight(kernel, schedule)))
                .isNotEmpty();
    }

    private static boolean isRight(String kernel, int schedule) {
        try {
            return Arrays.equals(run(kernel, schedule), wanted());
        } catch (CudaException e) {
            StandIn.heal();
            return false;
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    tile_with_unpublished_barrier | copies for a barrier that was not published
                    tile_without_barrier          | uses a barrier that nobody has initialised
                    tile_out_of_line              | copies a box to an address that is not aligned to 512 bytes
                    tile_with_too_many_arrivals   | arrives at a barrier where all have arrived
                    tile_without_map              | copies by a map that is none, or of another rank
                    """)
    void whatAKernelMayNotDoFailsWithASentence(String kernel, String sentence) {
        for (int s = 0; s < StandIn.SCHEDULES; s++) {
            int schedule = s;
            assertThatThrownBy(() -> run(kernel, schedule))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("kernel " + kernel)
                    .hasMessageContaining(sentence);
            StandIn.heal();
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    20  | 64   | 64   | a line of a box has 40 bytes
                    256 | 64   | 64   | a line of a box has 512 bytes
                    32  | 24   | 64   | index 1 has a stride of 24 bytes
                    32  | 64   | 300  | index 1 has a length or a box that is not allowed
                    32  | 8192 | 64   | it is not in one piece of the device's memory
                    """)
    void aMapThatADriverWouldRefuseIsRefused(int inner, long stride, int box, String sentence) {
        try (DeviceWork work = new DeviceWork()) {
            MemorySegment memory = work.upload(work.arena.allocate(64L * 64));
            int lines = 40;

            assertThatThrownBy(() -> work.stream
                            .arguments()
                            .tensor(memory, Swizzle.OF_64, new Axis(inner, 2, inner), new Axis(lines, stride, box)))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining(sentence);
        }
    }

    private static int weight(int row, int column) {
        return (7 * row + 3 * column) % 16 - 8;
    }

    private static int activation(int row, int column) {
        return (5 * row + 11 * column) % 16 - 8;
    }

    private static float[] wanted() {
        float[] y = new float[ROWS * COLUMNS];
        for (int i = 0; i < y.length; i++) {
            for (int k = 0; k < STEP; k++) {
                y[i] += weight(i / COLUMNS, k) * activation(k, i % COLUMNS);
            }
        }
        return y;
    }

    private static float[] run(String kernel, int schedule) {
        StandIn.set("schedule", schedule);
        byte[] image = ".version 8.0 .entry %s(".formatted(kernel).getBytes(StandardCharsets.UTF_8);
        try (DeviceWork work = new DeviceWork();
                CudaModule module = work.device.load(image)) {
            MemorySegment w = bf16(work, 2 * STEP * 32, i -> weight(i / (STEP * 32) * 32 + i % 32, i / 32 % STEP));
            // Behind the eight columns are eight others; behind sixteen rows what nobody multiplies.
            MemorySegment x =
                    bf16(work, 2 * COLUMNS * 64, i -> i % 64 < STEP ? activation(i % 64, i / 64) + i / 512 : 99);
            MemorySegment y = work.upload(work.arena.allocate((long) Float.BYTES * ROWS * COLUMNS));
            work.stream
                    .arguments()
                    .tensor(w, Swizzle.OF_64, new Axis(32, 2, 32), new Axis(STEP, 64, STEP), new Axis(2, 64 * STEP, 2))
                    .tensor(x, Swizzle.OF_128, new Axis(64, 2, 64), new Axis(2 * COLUMNS, 128, COLUMNS))
                    .pointer(y);
            work.stream.launch(module.kernel(kernel), 1, 1, SHARED_BYTES);
            return work.download(y).toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    private static MemorySegment bf16(DeviceWork work, int count, IntUnaryOperator value) {
        MemorySegment host = work.arena.allocate((long) Short.BYTES * count);
        for (int i = 0; i < count; i++) {
            int bits = Float.floatToRawIntBits(value.applyAsInt(i));
            host.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (bits >>> 16));
        }
        return work.upload(host);
    }
}
