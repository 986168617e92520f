package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.cuda.CudaDetection;
import dev.troupe.kernel.cuda.CudaDetection.Found;
import dev.troupe.kernel.cuda.CudaDetection.Refused;
import dev.troupe.tensor.DeviceMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What is taken of what is there, and the sentences about it. */
class DevicesTest {
    private static final CudaDetection NO_DRIVER = new CudaDetection.No("there is no NVIDIA driver", false);
    private static final CudaDetection OLD_DRIVER = new CudaDetection.No("the NVIDIA driver is too old", true);
    private static final CudaDetection TWO_AND_AN_OLD_ONE = new CudaDetection.Ok(
            12040, List.of(found(0), found(1)), List.of(new Refused(2, "Old", "Old has compute capability 7.5")));

    private final List<String> closed = new ArrayList<>();
    private final Set<Integer> broken = new java.util.HashSet<>();

    private static Found found(int ordinal) {
        return new Found(ordinal, "Gpu", 9, 0, 1 << 30, List.of());
    }

    /** A provider that only has a name. */
    private record Named(String device, List<String> closed) implements KernelProvider {
        @Override
        public String reason() {
            return "a GPU";
        }

        @Override
        public int threads() {
            return 1;
        }

        @Override
        public int vectorBits() {
            return 0;
        }

        @Override
        public DeviceMemory memory() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Kernels create() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {
            closed.add(device);
        }
    }

    private KernelProvider opened(Found found) {
        if (broken.contains(found.ordinal())) {
            throw new IllegalStateException("the check of %s has found other bits: q8_0".formatted(found));
        }
        return new Named("cuda" + found.ordinal(), closed);
    }

    private Devices open(CudaDetection detection, int most, String... wanted) {
        return Devices.open(
                Stream.of(wanted).map(DeviceChoice::of).toList(),
                () -> CpuProvider.choose(KernelProvider.Choice.REFERENCE, 1),
                most,
                () -> detection,
                this::opened);
    }

    private static List<String> names(Devices devices) {
        return devices.all().stream().map(KernelProvider::device).toList();
    }

    @Test
    void takesAllGpusThatWillDoButNoMoreThanAreOfUse() {
        assertThat(names(open(TWO_AND_AN_OLD_ONE, 8, "auto"))).containsExactly("cuda0", "cuda1");
        assertThat(names(open(TWO_AND_AN_OLD_ONE, 1, "auto"))).containsExactly("cuda0");

        broken.add(0);
        assertThat(names(open(TWO_AND_AN_OLD_ONE, 8, "auto"))).containsExactly("cuda1");
    }

    @Test
    void takesTheCpuWhereThereIsNoGpuAndSaysWhyIfSomebodyMayExpectOne() {
        assertThat(open(NO_DRIVER, 8, "auto").reasons())
                .containsExactly("cpu0: plain loops on 1 thread, as configured");
        assertThat(open(OLD_DRIVER, 8, "auto").reasons())
                .containsExactly("cpu0: plain loops on 1 thread, as configured; no GPU: the NVIDIA driver is too old");

        broken.addAll(List.of(0, 1));
        assertThat(open(TWO_AND_AN_OLD_ONE, 8, "auto").reasons())
                .containsExactly("cpu0: plain loops on 1 thread, as configured; no GPU: the check of device 0 (Gpu) has"
                        + " found other bits: q8_0");
    }

    @Test
    void takesTheDevicesThatAreAskedForInTheirOrder() {
        Devices devices = open(TWO_AND_AN_OLD_ONE, 8, "cuda:1", "cpu", "cuda:0");

        assertThat(names(devices)).containsExactly("cuda1", "cpu0", "cuda0");
        assertThat(devices.get("cpu0")).isInstanceOf(CpuProvider.class);
        assertThatThrownBy(() -> devices.get("cuda7"))
                .hasMessage("this process computes on [cuda1, cpu0, cuda0], not on cuda7");
        assertThat(names(open(TWO_AND_AN_OLD_ONE, 1, "cuda:1", "cpu"))).containsExactly("cuda1");
        assertThat(names(open(TWO_AND_AN_OLD_ONE, 8, "cpu"))).containsExactly("cpu0");
    }

    @Test
    void refusesADeviceThatWillNotDoWithTheReasonAndWhatWorks() {
        assertThatThrownBy(() -> open(NO_DRIVER, 8, "cuda:0"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("device = cuda:0 cannot be used: there is no NVIDIA driver; device = cpu or auto works");
        assertThatThrownBy(() -> open(TWO_AND_AN_OLD_ONE, 8, "cuda:2"))
                .hasMessage("device = cuda:2 cannot be used: Old has compute capability 7.5;"
                        + " device = cuda:0, cuda:1, cpu or auto works");
        assertThatThrownBy(() -> open(TWO_AND_AN_OLD_ONE, 8, "cuda:3"))
                .hasMessageContaining("cuda:3 cannot be used: the NVIDIA driver finds no such device;");
    }

    @Test
    void givesBackWhatItHasWhenAnotherDeviceIsRefused() {
        broken.add(1);

        assertThatThrownBy(() -> open(TWO_AND_AN_OLD_ONE, 8, "cuda:0", "cuda:1"))
                .hasMessage("device = cuda:1 cannot be used: the check of device 1 (Gpu) has found other bits: q8_0;"
                        + " device = cpu or auto works");

        assertThat(closed).containsExactly("cuda0");
    }

    @Test
    void refusesAListThatMakesNoSense() {
        String expected = "does not work; auto alone does, or different ones of cpu, cuda:0, cuda:1 and so on";
        assertThatThrownBy(() -> open(NO_DRIVER, 8)).hasMessage("device =  " + expected);
        assertThatThrownBy(() -> open(NO_DRIVER, 8, "auto", "cpu")).hasMessage("device = auto,cpu " + expected);
        assertThatThrownBy(() -> open(NO_DRIVER, 8, "cuda", "cuda:0")).hasMessage("device = cuda:0,cuda:0 " + expected);
    }
}
