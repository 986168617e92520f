package dev.troupe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kvstore.KvType;
import dev.troupe.serving.SchedulerSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeConfigTest {
    private static final String MODEL = "troupe.models.tales = tales\n";

    @Test
    void hasADefaultForEverythingButTheModels() {
        NodeConfig config = of(MODEL);

        assertThat(config.node().host()).isEqualTo("127.0.0.1");
        assertThat(config.node().bindPort()).isEqualTo(25520);
        assertThat(config.node().name()).isEqualTo("127.0.0.1:25520");
        assertThat(config.node().roles()).containsExactly(NodeRole.CONTROL, NodeRole.FRONTEND, NodeRole.COMPUTE);
        assertThat(config.cluster().nodes()).isEqualTo(1);
        assertThat(config.replica()).isEqualTo(new ReplicaConfig("tales", 1, 1));
        assertThat(config.device().kernels()).isEqualTo(KernelProvider.Choice.AUTO);
        assertThat(config.device().kinds()).containsExactly(new DeviceChoice.Auto());
        assertThat(config.device().threads()).isPositive();
        assertThat(config.device().graphs()).isTrue();
        assertThat(config.device().weightCacheBytes()).isEqualTo(8L << 30);
        assertThat(config.kv().type()).isEqualTo(KvType.F16);
        assertThat(config.kv().blocks(1 << 13)).isEqualTo(1024);
        assertThat(config.scheduler().limits().stepsInFlight()).isEqualTo(1);
        assertThat(config.scheduler().waits().forming()).isEqualTo(Duration.ofMinutes(10));
        assertThat(config.scheduler().waits().leastStep()).isEqualTo(Duration.ofSeconds(1));
        assertThat(config.scheduler().waits().canary()).isEqualTo(Duration.ofSeconds(5));
        assertThat(config.scheduler().slow())
                .isEqualTo(new SchedulerSettings.Slow(3, Duration.ofSeconds(3), Duration.ofSeconds(30)));
        assertThat(config.wire().tensors()).isEqualTo(WireConfig.Road.LANE);
        assertThat(config.wire().frameBytes()).isEqualTo(256 * 1024);
        assertThat(config.wire().tls()).isEmpty();
    }

    @Test
    void readsWhatAFileSays(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("node.conf"), """
                troupe {
                  node { host = "10.1.2.3", port = 2551, bind-host = "0.0.0.0", roles = [compute, control] }
                  cluster { seed-nodes = ["10.1.2.3:2551", "[fd00::1]:2551"], timing = lan }
                  models { llama = /srv/llama, "qwen-2.5" = /srv/qwen }
                  replica { model = llama, pipeline-parallel = 3 }
                  device { threads = 7, kernels = reference, vector-bits = 256, graphs = off }
                  kv { type = f32, block-size = 64, blocks = 99 }
                  wire { tensors = artery, tls { enabled = on, ca = ca.pem, certificate = n.pem, key = n.key } }
                }
                """);

        NodeConfig config = NodeConfig.load(file, Map.of("troupe.node.port", 2552));

        assertThat(config.node().port()).isEqualTo(2552);
        assertThat(config.node().bindHost()).isEqualTo("0.0.0.0");
        assertThat(config.node().roles()).containsExactly(NodeRole.CONTROL, NodeRole.COMPUTE);
        assertThat(config.cluster().seedNodes())
                .containsExactly(new SeedNode("10.1.2.3", 2551), new SeedNode("[fd00::1]", 2551));
        assertThat(config.cluster().nodes()).isEqualTo(2);
        assertThat(config.models()).containsEntry("qwen-2.5", "/srv/qwen").hasSize(2);
        assertThat(config.device().vectorBits()).hasValue(256);
        assertThat(config.device().graphs()).isFalse();
        assertThat(config.kv().blocks(1 << 20)).isEqualTo(99);
        assertThat(config.scheduler().limits().stepsInFlight()).isEqualTo(3);
        assertThat(config.wire().tls().orElseThrow().key()).isEqualTo(Path.of("n.key"));
    }

    @Test
    void readsOneDeviceOrSeveral() {
        List<DeviceChoice> both = List.of(new DeviceChoice.Cuda(1), new DeviceChoice.Cpu());

        assertThat(of(MODEL + "troupe.device.kind = [\"cuda:1\", cpu]").device().kinds())
                .isEqualTo(both);
        assertThat(of(MODEL + "troupe.device.kind = \"cuda:1, cpu\"").device().kinds())
                .isEqualTo(both);
        assertThat(NodeConfig.of(ConfigFactory.parseString(MODEL), Map.of("TROUPE_DEVICE", "cuda:1,cpu"))
                        .device()
                        .kinds())
                .isEqualTo(both);
    }

    @Test
    void letsEnvironmentVariablesWinOverFiles() {
        Map<String, String> environment = Map.of("TROUPE_PORT", "1234", "TROUPE_HOST", "127.0.0.9", "HOME", "/root");

        NodeConfig config = NodeConfig.of(ConfigFactory.parseString(MODEL + "troupe.node.port = 7"), environment);

        assertThat(config.node().port()).isEqualTo(1234);
        assertThat(config.node().host()).isEqualTo("127.0.0.9");
    }

    @Test
    void refusesAnUnknownKeyAndNamesTheNearestOne(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("node.conf"), MODEL + "troupe.node {\n  prot = 1\n}");

        assertThatThrownBy(() -> NodeConfig.load(file))
                .isInstanceOf(ConfigurationException.class)
                .hasMessage(file + ": 3: troupe.node.prot is no key of Troupe; the nearest is troupe.node.port");
        assertUnknown("troupe.port = 1", "troupe.port", "troupe.http.port or troupe.node.port");
        assertUnknown("troupe.nodes { host = a }", "troupe.nodes", "troupe.node");
        assertUnknown(
                "troupe.replica.tensor_parallel = 2",
                "troupe.replica.tensor_parallel",
                "troupe.replica.tensor-parallel");
        assertUnknown("troupe.model = tales", "troupe.model", "troupe.replica.model");
        assertUnknown("troupe.kv.blocksize = 2", "troupe.kv.blocksize", "troupe.kv.block-size");
        assertUnknown("troupe.wire.tls.cert = a", "troupe.wire.tls.cert", "troupe.wire.tls.certificate");
    }

    private static void assertUnknown(String line, String key, String nearest) {
        assertThatThrownBy(() -> of(MODEL + line))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageEndingWith(": 2: %s is no key of Troupe; the nearest is %s", key, nearest);
    }

    @Test
    void saysWhereAndWhatIsWrong() {
        assertRefused("troupe.node.port = 70000", "2: troupe.node.port = 70000, expected a port, 0 to 65535");
        assertRefused("troupe.node.port = many", "2: troupe.node.port = many, expected a whole number");
        assertRefused("troupe.node.roles = []", "troupe.node.roles = [], expected at least one of [control, frontend");
        assertRefused("troupe.node.roles = [king]", "troupe.node.roles: role 'king' does not exist; these do: control");
        assertRefused("troupe.cluster.seed-nodes = [a]", "troupe.cluster.seed-nodes = \"a\", expected host:port");
        assertRefused("troupe.cluster.seed-nodes = [\"a:1\", \"a:1\"]", "expected each node once");
        assertRefused("troupe.cluster.timing = wan", "troupe.cluster.timing = wan, expected shared or lan");
        assertRefused(
                "troupe.replica.model = llama",
                "troupe.replica.model = llama, expected one of the registered models: [tales]");
        assertRefused("troupe.models.b = b", "troupe.replica.model = \"\", expected one of [b, tales]");
        assertRefused(
                "troupe.models.b.c = b",
                "troupe.models.b = {c=b}, expected text; an id that holds dots stands in quotes");
        assertRefused("troupe.replica.tensor-parallel = 0", "troupe.replica.tensor-parallel = 0, expected at least 1");
        assertRefused(
                "troupe.device.kernels = vektor",
                "troupe.device.kernels = vektor, expected auto or native or vector or reference");
        assertRefused(
                "troupe.device.kind = gpu",
                "troupe.device.kind: device = gpu does not work; these do: auto, cpu, cuda:0, cuda:1 and so on");
        assertRefused("troupe.device.kind = []", "troupe.device.kind = [], expected auto, cpu, cuda:0 or a list");
        assertRefused("troupe.device.threads = none", "troupe.device.threads = none, expected a whole number");
        assertRefused(
                "troupe.device.vector-bits = 64", "troupe.device.vector-bits = 64, expected 128, 256, 512 or auto");
        assertRefused(
                "troupe.kv.block-size = 48",
                "troupe.kv.block-size = 48, expected one that the kernels work with: [16, 32, 64, 128]");
        assertRefused(
                "troupe.kv.block-size = 8", "troupe.kv.block-size = 8, expected one that the kernels work with: [16");
        assertRefused("troupe.kv.memory = lots", "2: Invalid value at 'troupe.kv.memory'");
        assertRefused("troupe.scheduler.prefill-chunk = 0", "troupe.scheduler: prefill-chunk=0, expected at least 1");
        assertRefused("troupe.scheduler.waits.retry = 0s", "troupe.scheduler.waits.retry = PT0S, expected more than 0");
        assertRefused("troupe.scheduler.slow.factor = 1", "troupe.scheduler.slow.factor = 1.0, expected at least 1.5");
        assertRefused("troupe.wire.queue-bytes = 1 KiB", "expected at least troupe.wire.frame-bytes = 262144");
        assertRefused(
                "troupe.wire.tls.enabled = on",
                "troupe.wire.tls.ca = auto, expected a PEM file, or troupe.wire.tls.directory");
        assertRefused("troupe.numerics = rough", "troupe.numerics = rough, expected exact or fast");
        assertRefused("troupe = {", "the configuration cannot be read: ");
    }

    private static void assertRefused(String line, String reason) {
        assertThatThrownBy(() -> of(MODEL + line))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(reason);
    }

    @Test
    void asksForAModel() {
        assertThatThrownBy(() -> of(""))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("troupe.models = {}, expected at least one model");
    }

    @Test
    void saysThatAFileIsMissing(@TempDir Path folder) {
        assertThatThrownBy(() -> NodeConfig.load(folder.resolve("none.conf")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageStartingWith("the configuration cannot be read: ")
                .hasMessageContaining("none.conf");
    }

    @Test
    void saysHowMuchMemoryOneBlockTakes() {
        NodeConfig config = of(MODEL + "troupe.kv.memory = 1 KiB");

        assertThatThrownBy(() -> config.kv().blocks(100))
                .hasMessage("troupe.kv.memory = 1024 bytes, expected at least 3200 bytes, one block of 32 tokens");
    }

    private static NodeConfig of(String text) {
        try {
            return NodeConfig.of(ConfigFactory.parseString(text), Map.of());
        } catch (ConfigException.Parse e) {
            throw new ConfigurationException(null, "the configuration cannot be read: " + e.getMessage(), e);
        }
    }
}
