package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.weights.LoadProgress;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Nodes with {@code troupe.numerics = fast}, on the stand-in driver; the bundled model has bf16 weights. */
@Tag("cuda")
class FastNodesTest {
    private static final Path MODEL = Path.of("src", "main", "models", "tales").toAbsolutePath();
    private static final TextRequest REQUEST = TextRequest.greedy("Tom", 4).withIgnoreEos(true);
    private static final Map<String, ?> FAST = Map.of("troupe.numerics", "fast", "troupe.kv.blocks", 8);
    private static final Map<String, ?> ON_CPU = Map.of("troupe.device.kind", "cpu");
    private static final Map<String, ?> ON_GPU = Map.of("troupe.device.kind", "cuda:0");
    private static final String EXACT_ID = "exact-1/span-128/chunks-8x32/kv-f16";
    private static final String FAST_ID = "fast-1/span-128/chunks-8x32/kv-f16";

    @BeforeEach
    void needsTheStandIn() {
        StandIn.require();
    }

    @AfterEach
    void everythingIsGivenBack() throws InterruptedException {
        StandIn.awaitNothingLeft();
    }

    private static Map<String, Object> both(Map<String, ?> some, Map<String, ?> more) {
        Map<String, Object> all = new LinkedHashMap<>(some);
        all.putAll(more);
        return all;
    }

    private static void answers(Troupe troupe) throws Exception {
        assertThat(troupe.complete(REQUEST)
                        .toCompletableFuture()
                        .get(TestNodes.MINUTES, TimeUnit.MINUTES)
                        .choices()
                        .getFirst()
                        .tokens()
                        .size())
                .isEqualTo(4);
    }

    /** Fast and exact products of bf16 weights that a stream launches. */
    private record Launches(long fast, long exact) {
        static Launches now() {
            return new Launches(StandIn.fastProducts(), StandIn.count("launches:matmul_bf16"));
        }

        Launches since(Launches before) {
            return new Launches(fast - before.fast, exact - before.exact);
        }
    }

    private static Launches launchesOfAStream(Map<String, ?> settings, String id, String kernels) throws Exception {
        try (TestNodes nodes = new TestNodes(1, settings)) {
            TroupeNode node = nodes.start(MODEL, ON_GPU);
            assertThat(node.devices())
                    .containsExactly("cuda0: Stand-in 0 of compute capability 9.0, %s kernels".formatted(kernels));
            try (Troupe troupe = nodes.connect()) {
                // When it is ready, its device has been checked, which launches fast and exact products.
                assertThat(TestNodes.await(troupe, Troupe.Description::ready).numerics())
                        .isEqualTo(id);
                Launches before = Launches.now();
                answers(troupe);
                return Launches.now().since(before);
            }
        }
    }

    @Test
    void multiplyOnTensorCoresAloneAndExactOnesNeverDo() throws Exception {
        Launches fast = launchesOfAStream(FAST, FAST_ID, "fast");
        Launches exact = launchesOfAStream(Map.of("troupe.kv.blocks", 8), EXACT_ID, "exact");

        assertThat(fast.fast()).isPositive();
        assertThat(fast.exact()).isZero();
        assertThat(exact.fast()).isZero();
        assertThat(exact.exact()).isPositive();
    }

    @Test
    void serveAReplicaTogetherWithACpu() throws Exception {
        Map<String, Object> settings = both(FAST, Map.of("troupe.models", Map.of("tales", MODEL.toString())));
        settings.put("troupe.replica.tensor-parallel", 2);
        settings.put("troupe.device.kind", "cuda:0,cpu");
        settings.put("troupe.device.threads", 1);
        try (Troupe troupe = LocalTroupe.start(NodeConfig.of(ConfigFactory.parseMap(settings)), LoadProgress.NONE)) {
            Troupe.Description description = TestNodes.await(troupe, Troupe.Description::ready);
            assertThat(String.join("\n", description.placement())).contains("cuda0", "cpu0");

            answers(troupe);
        }
    }

    @Test
    void areLeftOutByAnExactOneAlthoughTheyHaveTheGpu() throws Exception {
        try (TestNodes nodes = new TestNodes(2, FAST);
                Troupe troupe = nodes.connect()) {
            nodes.start(MODEL, both(ON_CPU, Map.of("troupe.numerics", "exact")));
            TroupeNode refused = nodes.start(MODEL, ON_GPU);
            Troupe.Description description = TestNodes.await(
                    troupe,
                    now -> now.ready()
                            && !now.refused().isEmpty()
                            && !refused.refused().isEmpty());

            assertThat(description.numerics()).isEqualTo(EXACT_ID);
            assertThat(description.refused())
                    .singleElement()
                    .asString()
                    .matches(
                            "127\\.0\\.0\\.2:\\d+: numerics id '%s' there, '%s' here: run the same version with the same numerics and cache type"
                                    .formatted(FAST_ID, EXACT_ID));
            assertThat(refused.refused())
                    .singleElement()
                    .asString()
                    .matches(
                            "127\\.0\\.0\\.1:\\d+: numerics id '%s' there, '%s' here: .*".formatted(EXACT_ID, FAST_ID));
            assertThat(String.join("\n", description.placement()))
                    .contains("127.0.0.1")
                    .doesNotContain("127.0.0.2");
            answers(troupe);
            try (Troupe there = nodes.connect(2)) {
                assertThatThrownBy(() -> answers(there))
                        .hasMessageContaining("model tales cannot be served from here: node 127.0.0.1:")
                        .hasMessageContaining("which schedules it, has numerics id '%s' there, '%s' here"
                                .formatted(EXACT_ID, FAST_ID));
            }
        }
    }
}
