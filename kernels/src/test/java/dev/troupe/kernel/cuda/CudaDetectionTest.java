package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

@StandInTest
class CudaDetectionTest {
    @Test
    void findsEveryDevice() {
        StandIn.set("devices", 2);

        assertThat(CudaDetection.detect()).isInstanceOfSatisfying(CudaDetection.Ok.class, ok -> {
            assertThat(ok.cuda()).isEqualTo("12.0");
            assertThat(ok.refused()).isEmpty();
            assertThat(ok.devices())
                    .containsExactly(
                            new CudaDetection.Found(0, "Stand-in 0", 9, 0, 1 << 30, List.of(1)),
                            new CudaDetection.Found(1, "Stand-in 1", 9, 0, 1 << 30, List.of(0)));
        });
    }

    @Test
    void saysThatThereIsNoDriver() {
        assertThat(CudaDetection.detect("libcuda-of-nobody.so.1"))
                .isEqualTo(new CudaDetection.No(
                        "there is no NVIDIA driver (libcuda-of-nobody.so.1 cannot be loaded)", false));
    }

    @Test
    void saysThatALibraryIsNoDriver() {
        assertThat(CudaDetection.detect("libm.so.6"))
                .isEqualTo(new CudaDetection.No("the NVIDIA driver has no function cuInit", true));
    }

    @Test
    void saysThatThereIsNoDevice() {
        StandIn.set("devices", 0);

        assertThat(CudaDetection.detect()).isEqualTo(new CudaDetection.No("the NVIDIA driver finds no device", true));
    }

    @Test
    void saysThatTheDriverDoesNotStart() {
        StandIn.set("init", 803);

        assertThat(CudaDetection.detect())
                .isEqualTo(new CudaDetection.No("the NVIDIA driver does not start: cuInit gives error 803", true));
    }

    @Test
    void saysThatTheDriverIsTooOld() {
        StandIn.set("version", 11080);

        assertThat(CudaDetection.detect())
                .isEqualTo(new CudaDetection.No(
                        "the NVIDIA driver is for CUDA 11.8, and CUDA 12.0 is needed (driver 525 or newer)", true));
    }

    @Test
    void saysThatTheDeviceIsTooOld() {
        StandIn.set("capability", 75);

        assertThat(CudaDetection.detect())
                .isEqualTo(new CudaDetection.No("Stand-in 0 has compute capability 7.5, and 8.0 is needed", true));
    }
}
