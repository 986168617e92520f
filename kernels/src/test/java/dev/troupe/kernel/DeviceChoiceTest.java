package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceChoiceTest {
    @Test
    void readsWhatUsersWrite() {
        assertThat(DeviceChoice.of("auto")).isEqualTo(new DeviceChoice.Auto());
        assertThat(DeviceChoice.of(" CPU ")).isEqualTo(new DeviceChoice.Cpu());
        assertThat(DeviceChoice.of("cuda")).isEqualTo(new DeviceChoice.Cuda(0));
        assertThat(DeviceChoice.of("Cuda:12")).isEqualTo(new DeviceChoice.Cuda(12));
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "cpu", "cuda:0", "cuda:3"})
    void isWrittenAsItIsRead(String text) {
        assertThat(DeviceChoice.of(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:99999", "cuda 0"})
    void refusesWhatIsNoDevice(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DeviceChoice.of(text))
                .withMessageContaining("auto, cpu, cuda:0");
    }
}
