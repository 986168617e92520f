package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.CpuProvider;
import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.Devices;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Devices that are chosen, shared, lost and given back, on the stand-in driver. */
@StandInTest
class CudaProviderTest {
    @BeforeEach
    void needsTwoDevices() {
        StandIn.set("devices", 2);
    }

    private static Devices open(String wanted) {
        return open(wanted, true);
    }

    private static Devices open(String wanted, boolean graphs) {
        return Devices.open(
                List.of(DeviceChoice.of(wanted)),
                () -> CpuProvider.choose(KernelProvider.Choice.REFERENCE, 1),
                8,
                Numerics.EXACT,
                graphs);
    }

    @Test
    void areTakenWhenTheyHavePassedTheirCheck() {
        try (Devices devices = open("auto")) {
            assertThat(devices.reasons())
                    .containsExactly(
                            "cuda0: Stand-in 0 of compute capability 9.0, exact kernels",
                            "cuda1: Stand-in 1 of compute capability 9.0, exact kernels");
            assertThat(devices.get("cuda1").freeBytes()).hasValue(1 << 30);
            assertThat(StandIn.count("contexts")).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @CsvSource({"true, 1, 2", "false, 0, 0"})
    void replayWorkThatComesAgainUnlessTheyAreToldNotTo(boolean graphs, long noted, long replayed) {
        try (Devices devices = open("cuda:0", graphs);
                Kernels kernels = devices.get("cuda0").create();
                Arena arena = Arena.ofShared()) {
            long before = StandIn.count("replays");
            Tensor x = kernels.memory().floats(arena, 1, 64);
            kernels.memory().write(x, new Floats(1, 64, filled(1)));

            for (int i = 0; i < 3; i++) {
                kernels.repeat("double", 1, null, () -> kernels.add(x, x, 1));
            }

            assertThat(kernels.memory().read(x, 1).toArray()).isEqualTo(filled(8));
            assertThat(StandIn.count("graphs")).isEqualTo(noted);
            assertThat(StandIn.count("replays") - before).isEqualTo(replayed);
            assertThat(kernels.repeats(1)).isEqualTo(graphs);
        }
    }

    private static float[] filled(float value) {
        float[] values = new float[64];
        Arrays.fill(values, value);
        return values;
    }

    @Test
    void areRefusedWhenTheirCheckFails() {
        StandIn.set("fail_after", 5);

        assertThatThrownBy(() -> open("cuda:1"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("device = cuda:1 cannot be used: device 1 (Stand-in 1) fails in its check: ")
                .hasMessageContaining("the stand-in is told to fail");
    }

    @Test
    void leaveTheCpuWhenTheyAreTooSmall() {
        StandIn.set("memory", 100_000);

        try (Devices devices = open("auto")) {
            assertThat(devices.reasons().getFirst())
                    .startsWith(
                            "cpu0: plain loops on 1 thread, as configured; no GPU: device 0 (Stand-in 0) fails in its"
                                    + " check: device 0 (Stand-in 0) has no room for workspace");
        }
    }

    @Test
    void areGivenBackWithTheLastKernels() {
        Devices devices = open("cuda:0");
        KernelProvider gpu = devices.get("cuda0");
        Kernels first = gpu.create();
        Kernels second = gpu.create();

        first.close();
        devices.close();

        assertThat(StandIn.count("contexts")).isEqualTo(1);
        try (Arena arena = Arena.ofConfined()) {
            second.memory().allocate(arena, 100, Use.WORKSPACE);
        }
        second.close();
        assertThat(StandIn.count("contexts")).isZero();
        assertThatThrownBy(gpu::create).hasMessage("device 0 (Stand-in 0) is closed");
    }

    @Test
    void areOfNoUseOnceAKernelHasFailedAndAreStillGivenBack() {
        Devices devices = open("cuda:0");
        Kernels kernels = devices.get("cuda0").create();
        assertThat(devices.failure()).isNull();
        try (Arena arena = Arena.ofShared()) {
            Tensor x = kernels.memory().floats(arena, 1, 64);
            StandIn.set("fail_after", 1);
            kernels.add(x, x, 1);

            assertThatThrownBy(() -> kernels.memory().read(x, 1))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("work on device 0 (Stand-in 0): CUDA_ERROR_LAUNCH_FAILED");
            assertThat(devices.failure())
                    .startsWith("device 0 (Stand-in 0) has failed: ")
                    .endsWith("; it is of no use to this process any more");
            assertThatThrownBy(() -> devices.get("cuda0").create()).isInstanceOf(CudaException.class);
        }
        kernels.close();
        devices.close();
    }
}
