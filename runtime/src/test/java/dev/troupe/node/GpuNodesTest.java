package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.weights.LoadProgress;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Replicas on GPUs, on the stand-in driver: the bits of the CPU, also when a stream goes on there. */
@Tag("cuda")
class GpuNodesTest {
    private static final Path MODEL = Path.of("src", "main", "models", "tales").toAbsolutePath();
    private static final TextRequest REQUEST =
            TextRequest.greedy("Tom", 6).withIgnoreEos(true).withLogits(true);

    /** Memory of the stand-in is slow to be made. */
    private static final Map<String, ?> SMALL = Map.of("troupe.kv.blocks", 8);

    @BeforeEach
    void needsTheStandIn() {
        StandIn.require();
        StandIn.set("devices", 2);
    }

    @AfterEach
    void everythingIsGivenBack() throws InterruptedException {
        StandIn.awaitNothingLeft();
    }

    private static NodeConfig config(String device, int stages, int ranks) {
        return config(device, stages, ranks, Map.of());
    }

    private static NodeConfig config(String device, int stages, int ranks, Map<String, ?> more) {
        Map<String, Object> all = new LinkedHashMap<>(SMALL);
        all.putAll(more);
        all.put("troupe.models", Map.of("tales", MODEL.toString()));
        all.put("troupe.replica.pipeline-parallel", stages);
        all.put("troupe.replica.tensor-parallel", ranks);
        all.put("troupe.device.kind", device);
        all.put("troupe.device.threads", 1);
        return NodeConfig.of(ConfigFactory.parseMap(all));
    }

    private static String hash(String device, int stages, int ranks) throws Exception {
        return hash(config(device, stages, ranks));
    }

    private static String hash(NodeConfig config) throws Exception {
        try (Troupe troupe = LocalTroupe.start(config, LoadProgress.NONE)) {
            return troupe.complete(REQUEST)
                    .toCompletableFuture()
                    .get(TestNodes.MINUTES, TimeUnit.MINUTES)
                    .hash();
        }
    }

    @Test
    void giveTheBitsOfTheCpuWholeAndSplitOverTwoOfThemOrBesideTheCpu() throws Exception {
        String expected = hash("cpu", 1, 1);

        assertThat(hash("cuda:0", 1, 1)).isEqualTo(expected);
        assertThat(hash("cuda:0,cuda:1", 2, 2)).isEqualTo(expected);
        assertThat(hash("cuda:1,cpu", 1, 2)).isEqualTo(expected);
    }

    @Test
    void giveTheSameBitsWithoutGraphs() throws Exception {
        long before = StandIn.count("replays");
        String expected = hash(config("cuda:0", 1, 1));
        long with = StandIn.count("replays");
        assertThat(with).isGreaterThan(before);

        assertThat(hash(config("cuda:0", 1, 1, Map.of("troupe.device.graphs", false))))
                .isEqualTo(expected);

        assertThat(StandIn.count("replays")).isEqualTo(with);
    }

    @Test
    void sayWhatDoesNotFitBeforeWeightsAreRead() throws Exception {
        StandIn.set("memory", 60 << 20);
        NodeConfig config = config("cuda:0", 1, 1);
        try (ModelStore store =
                ModelStore.open(config, DeviceKernels.of(config.device(), 1, config.numerics()), LoadProgress.NONE)) {
            Partition partition = Partition.even(store.config("tales"), 1, 1);
            ReplicaPlan plan = new ReplicaPlan(
                    "tales",
                    0,
                    "",
                    "",
                    partition,
                    LocalPlacement.slots(partition, List.of("cuda0")),
                    KvType.F16,
                    32,
                    8);

            assertThatThrownBy(() -> store.load(new ShardId(new Epoch(1, 1), 0, 0), plan))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageMatching("device 0 \\(Stand-in 0\\) has no room for weights \\d+ MB, KV .*,"
                            + " workspace \\d+ MB: 62 MB of 62 MB are free, and this process holds weights 0 bytes,"
                            + " KV 0 bytes, workspace 0 bytes; lower troupe.kv.memory or troupe.kv.blocks, or split the"
                            + " model over more devices");
        }
    }

    @Test
    void leaveARankToTheCpuWhoseWorkspaceDoesNotFit() throws Exception {
        StandIn.set("memory", 60 << 20); // weights and cache alone would fit
        try (TestNodes nodes = new TestNodes(1, SMALL)) {
            nodes.start(MODEL, Map.of("troupe.device.kind", "cuda:0,cpu"));
            try (Troupe troupe = nodes.connect()) {
                assertThat(String.join("\n", description(troupe).placement()))
                        .contains("/cpu0")
                        .doesNotContain("/cuda0");
            }
        }
    }

    @Test
    void loseAStreamToTheCpuOfAnotherNodeWhichGoesOnWithTheSameBits() throws Exception {
        String expected = hash("cpu", 1, 1);
        AtomicInteger tokens = new AtomicInteger();
        try (TestNodes nodes = new TestNodes(2, SMALL)) {
            nodes.start(MODEL, Map.of("troupe.device.kind", "cpu"));
            TroupeNode gpu =
                    nodes.start(MODEL, Map.of("troupe.device.kind", "cuda:0", "troupe.node.roles", List.of("compute")));
            assertThat(gpu.devices()).containsExactly("cuda0: Stand-in 0 of compute capability 9.0, exact kernels");
            try (Troupe troupe = nodes.connect()) {
                TestNodes.await(troupe, Troupe.Description::ready);
                assertThat(description(troupe).roles().get("stage-0/rank-0")).startsWith("127.0.0.2");

                Completion completion = troupe.generate(REQUEST)
                        .map(event -> {
                            if (event instanceof TextEvent.Token && tokens.incrementAndGet() == 2) {
                                StandIn.set("fail_after", 20);
                            }
                            return event;
                        })
                        .runWith(Sink.seq(), troupe.system())
                        .thenApply(Completion::of)
                        .toCompletableFuture()
                        .get(TestNodes.MINUTES, TimeUnit.MINUTES);

                assertThat(completion.hash()).isEqualTo(expected);
                gpu.system().getWhenTerminated().toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES);
                assertThat(CoordinatedShutdown.get(gpu.system()).getShutdownReason())
                        .contains(DeviceWatch.Reason.DEVICE_FAILED);
                assertThat(description(troupe).roles().get("stage-0/rank-0")).startsWith("127.0.0.1");
            }
        }
    }

    private static Troupe.Description description(Troupe troupe) throws Exception {
        return TestNodes.await(troupe, Troupe.Description::ready);
    }

    /** Without a cluster there is nowhere to go. */
    @Test
    void endAStreamWithTheReasonWhereNoOtherDeviceIsLeft() throws Exception {
        try (Troupe troupe = LocalTroupe.start(config("cuda:0", 1, 1), LoadProgress.NONE)) {
            TestNodes.await(troupe, Troupe.Description::ready);
            StandIn.set("fail_after", 20);

            assertThatThrownBy(() ->
                            troupe.complete(REQUEST).toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES))
                    .hasMessageContaining("device 0 (Stand-in 0) has failed: ")
                    .hasMessageContaining("it is of no use to this process any more");
        }
    }
}
