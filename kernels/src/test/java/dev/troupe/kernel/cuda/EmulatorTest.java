package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DeviceMemory.Use;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The emulator of the tests sees what is wrong with the kernels of {@code src/test/cuda/broken.cu}, and nothing with sound ones. */
@StandInTest
class EmulatorTest {
    private static final int THREADS = 128;

    @Test
    void barriersMakeEveryScheduleRight() {
        assertThat(schedulesThatDiffer("sound_reverse", i -> THREADS - 1 - i, THREADS))
                .isEmpty();
        assertThat(schedulesThatDiffer("sound_exchange", i -> i ^ 5, 32)).isEmpty();
        assertThat(schedulesThatDiffer("sound_copy", i -> (i + 4) % THREADS, THREADS))
                .isEmpty();
    }

    @Test
    void aMissingBarrierOfTheBlockIsSeen() {
        assertThat(schedulesThatDiffer("no_block_barrier", i -> THREADS - 1 - i, THREADS))
                .isNotEmpty();
    }

    @Test
    void aMissingBarrierOfTheWarpIsSeen() {
        assertThat(schedulesThatDiffer("no_warp_barrier", i -> i ^ 5, 32)).isNotEmpty();
    }

    @Test
    void aMissingWaitForACopyIsSeen() {
        assertThat(schedulesThatDiffer("copy_without_wait", i -> (i + 4) % THREADS, THREADS))
                .isNotEmpty();
    }

    @Test
    void aWaitForFewerCopiesThanAreReadIsSeen() {
        assertThat(run("copy_with_a_short_wait", 32, 0)).containsOnly(Float.NaN);
    }

    @Test
    void matricesAreLoadedAsTensorCoresTakeThem() {
        IntUnaryOperator source = i -> (32 * (i % 4 + 1) + i / 4) % THREADS;

        assertThat(schedulesThatDiffer("sound_matrices", source, THREADS)).isEmpty();
        assertThat(schedulesThatDiffer("matrices_without_barrier", source, THREADS))
                .isNotEmpty();
    }

    @Test
    void bankConflictsOfMatricesAreCounted() {
        long before = StandIn.count("bank_conflicts");

        run("sound_matrices", THREADS, 0);
        long sound = StandIn.count("bank_conflicts");
        run("conflicting_matrices", THREADS, 0);

        assertThat(sound).isEqualTo(before);
        assertThat(StandIn.count("bank_conflicts")).isEqualTo(sound + 16);
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 32})
    void bytesAreMultipliedAsByTensorCores(int columns) {
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            float[] y = run("products_of_" + columns, THREADS, schedule);
            for (int i = 0; i < THREADS; i++) {
                int sum = 5;
                for (int k = 0; k < columns; k++) {
                    sum += ((7 * (i / 8) + 3 * k) % 256 - 128) * ((7 * (i % 8) + 3 * k) % 256 - 128);
                }
                assertThat(y[i]).as("row %d, column %d", i / 8, i % 8).isEqualTo(sum);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"products_of_bf16", "products_of_f16"})
    void halvesAreMultipliedAsByTensorCores(String kernel) {
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            float[] y = run(kernel, THREADS, schedule);
            for (int i = 0; i < THREADS; i++) {
                int sum = 5;
                for (int k = 0; k < 16; k++) {
                    sum += ((7 * (i / 8) + 3 * k) % 16 - 8) * ((7 * (i % 8) + 3 * k) % 16 - 8);
                }
                assertThat(y[i]).as("row %d, column %d", i / 8, i % 8).isEqualTo(sum);
            }
        }
    }

    /** Only where a warp runs as far as it can. */
    @Test
    void anOverwriteThatComesTooEarlyIsSeen() {
        assertThat(schedules(schedule -> {
                    float[] y = run("early_overwrite", THREADS, schedule);
                    return !IntStream.range(0, THREADS).allMatch(i -> y[i] == 2f * (THREADS - i) + 1f);
                }))
                .contains(3, 4);
    }

    @Test
    void unwrittenSharedMemoryIsNotANumber() {
        assertThat(run("unwritten", 32, 0)).containsOnly(Float.NaN);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    lanes_apart | waits at shuffle_xor in line
                    lane_gone   | thread 7 of block 0, 0 has ended
                    warp_gone   | thread 31 of block 0, 0 has ended
                    deadlock    | none can go on: thread 3 of block 0, 0 waits at sync_block in line
                    products_apart | waits at multiply_matrices in line
                    product_without_a_lane | thread 31 of block 0, 0 has ended
                    matrices_out_of_line | thread 5 loads a row that is not aligned to 16 bytes or not in shared memory
                    matrices_of_global_memory | loads a row that is not aligned to 16 bytes or not in shared memory
                    copy_to_nowhere | copies from or to an address that is not aligned to 16 bytes, or not to shared memory
                    """)
    void whatAKernelMayNotDoFailsWithASentence(String kernel, String sentence) {
        for (int s = 0; s < StandIn.SCHEDULES; s++) {
            int schedule = s;
            assertThatThrownBy(() -> run(kernel, THREADS, schedule))
                    .isInstanceOfSatisfying(
                            CudaException.class, e -> assertThat(e.code()).isEqualTo(719))
                    .hasMessageStartingWith(
                            "work on device 0 (Stand-in 0): CUDA_ERROR_LAUNCH_FAILED (719), kernel " + kernel)
                    .hasMessageContaining(sentence);
            StandIn.heal();
        }
    }

    /** By less than 16 bytes; beyond them is a page that nobody may touch. */
    @Test
    void aWriteBehindAnAllocationIsSeen() {
        assertThatThrownBy(() -> run("sound_reverse", THREADS, 0, 4L * THREADS - 1))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("sound_reverse: it has written behind the 511 bytes of an allocation");
    }

    /** Schedules under which y[i] is not x[source(i)] for one of the first values. */
    private static int[] schedulesThatDiffer(String kernel, IntUnaryOperator source, int values) {
        return schedules(schedule -> {
            float[] y = run(kernel, values, schedule);
            return !IntStream.range(0, values).allMatch(i -> y[i] == source.applyAsInt(i) + 1f);
        });
    }

    private static int[] schedules(IntPredicate chosen) {
        return IntStream.range(0, StandIn.SCHEDULES).filter(chosen).toArray();
    }

    /** The first values of y, where x counts from 1. */
    private static float[] run(String kernel, int values, int schedule) {
        return run(kernel, values, schedule, 4L * THREADS);
    }

    private static float[] run(String kernel, int values, int schedule, long bytes) {
        StandIn.set("schedule", schedule);
        byte[] image = ".version 8.0 .entry %s(".formatted(kernel).getBytes(StandardCharsets.UTF_8);
        float[] ascending = new float[THREADS];
        for (int i = 0; i < THREADS; i++) {
            ascending[i] = i + 1f;
        }
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared();
                CudaModule module = device.load(image);
                CudaStream stream = device.stream()) {
            MemorySegment x = device.memory().allocate(arena, Use.WORKSPACE, 4L * THREADS);
            MemorySegment y = device.memory().allocate(arena, Use.WORKSPACE, bytes);
            stream.upload(arena.allocateFrom(ValueLayout.JAVA_FLOAT, ascending), x);
            stream.arguments().pointer(x).pointer(y);
            stream.launch(module.kernel(kernel), 1, 1, 0);
            MemorySegment got = arena.allocate(bytes);
            stream.download(y, got);
            stream.synchronize();
            return Arrays.copyOf(got.toArray(ValueLayout.JAVA_FLOAT), values);
        }
    }
}
