package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.Troupe;
import dev.troupe.config.ConfigurationException;
import dev.troupe.config.DeviceConfig;
import dev.troupe.config.NodeConfig;
import dev.troupe.kernel.CpuProvider;
import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kernel.vector.lanes.VectorWidth;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.weights.LoadProgress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeviceKernelsTest {
    private static DeviceConfig device(OptionalInt bits) {
        return new DeviceConfig(
                List.of(new DeviceChoice.Cpu()),
                1,
                List.of(),
                KernelProvider.Choice.AUTO,
                bits,
                true,
                OptionalLong.empty(),
                0);
    }

    private static KernelProvider cpu(DeviceConfig device) {
        return DeviceKernels.of(device, 1, Numerics.EXACT).get("cpu0");
    }

    @AfterEach
    void forget() {
        System.clearProperty(VectorWidth.PROPERTY);
    }

    @Test
    void refuseAWidthThatIsNotTheOneThisJvmHas() {
        int loaded = VectorKernels.vectorBits();
        int other = loaded == 128 ? 256 : 128;

        assertThat(cpu(device(OptionalInt.of(loaded))).vectorBits()).isEqualTo(loaded);
        System.clearProperty(VectorWidth.PROPERTY);
        assertThatThrownBy(() -> cpu(device(OptionalInt.of(other))))
                .isInstanceOf(ConfigurationException.class)
                .hasMessage(
                        "troupe.device.vector-bits = %d does not work: this JVM has loaded kernels with %d bits before; one JVM has one width",
                        other, loaded);
    }

    @Test
    void refuseAWidthThatContradictsTheCommandLine() {
        System.setProperty(VectorWidth.PROPERTY, "256");

        assertThatThrownBy(() -> cpu(device(OptionalInt.of(128))))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageStartingWith(
                        "troupe.device.vector-bits = 128 does not work: -Dtroupe.vector-bits=256 stands on the command line");
    }

    @Test
    void haveTheConfiguredWidthInAProcessOfTheirOwn(@TempDir Path folder) throws Exception {
        Path model = Path.of("src", "main", "models", "tales").toAbsolutePath();
        for (int bits : List.of(128, 256)) {
            Path config = Files.writeString(folder.resolve(bits + ".conf"), """
                    troupe {
                      models.tales = "%s"
                      node.port = 0
                      wire.lane-port = 0
                      device { threads = 1, vector-bits = %d }
                    }
                    """.formatted(model, bits));
            try (NodeProcess node = NodeProcess.start(
                    "width", folder.resolve(bits + ".log"), List.of(), List.of("--config", config.toString()))) {
                TestNodes.await(
                        "the node says what its device is",
                        () -> node.logTail().contains("device cpu0: Vector API with %d bits".formatted(bits)));
            }
        }
    }

    @Test
    void areWarmedUpWhenTheFirstPieceOfAModelIsLoaded() throws Exception {
        NodeConfig config = NodeConfig.of(ConfigFactory.parseMap(Map.of(
                "troupe.models",
                Map.of("tales", Path.of("src", "main", "models", "tales").toString()),
                "troupe.device.kernels",
                "reference",
                "troupe.kv.type",
                "f32")));
        KernelProvider kernels = cpu(config.device());
        assertThat(KernelWarmUp.isStarted(kernels, KvType.F32)).isFalse();

        try (Troupe troupe = LocalTroupe.start(config, LoadProgress.NONE)) {
            TestNodes.await(troupe, Troupe.Description::ready);

            assertThat(KernelWarmUp.isStarted(kernels, KvType.F32)).isTrue();
        }
    }

    @Test
    void areWarmedUpOnceForEveryTypeOfWeights() {
        KernelProvider kernels = CpuProvider.choose(KernelProvider.Choice.AUTO, 1);

        assertThat(KernelWarmUp.start(kernels, List.of(DType.F16), KvType.F32)).isTrue();

        assertThat(KernelWarmUp.start(kernels, List.of(DType.F16), KvType.F32)).isFalse();
        assertThat(KernelWarmUp.start(kernels, List.of(DType.F16, DType.BF16), KvType.F32))
                .isTrue();
    }
}
