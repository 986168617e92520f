package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.client.Completion;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.model.checkpoint.FingerprintStore;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nodes of one cluster that have, or have not, the same checkpoint. */
@Tag("scenarios")
class FingerprintsTest {
    private static final String TENSOR = "model.layers.3.mlp.up_proj.weight";
    private static final TextRequest REQUEST = TextRequest.greedy("Once upon a time", 4);
    private static final Map<String, ?> TWO_RANKS = Map.of("troupe.replica.tensor-parallel", 2);

    @TempDir
    Path folder;

    private static Completion complete(Troupe troupe) throws Exception {
        return troupe.complete(REQUEST).toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES);
    }

    @Test
    void serveTogetherWhereverTheSameCheckpointLies() throws Exception {
        Path one = ModelCopies.copy(folder, "one");
        Path other = ModelCopies.copy(folder, "other");

        try (TestNodes nodes = new TestNodes(2, TWO_RANKS);
                Troupe troupe = nodes.connect()) {
            TroupeNode first = nodes.start(one, Map.of());
            TroupeNode second = nodes.start(other, Map.of());
            Troupe.Description description = TestNodes.await(troupe, Troupe.Description::ready);

            assertThat(String.join("\n", description.placement())).contains("127.0.0.1", "127.0.0.2");
            assertThat(description.refused()).isEmpty();
            assertThat(complete(troupe).choices().getFirst().tokens().size()).isEqualTo(4);
            assertThat(first.refused()).isEmpty();
            assertThat(second.refused()).isEmpty();
        }

        assertThat(one.resolve(FingerprintStore.FILE)).as("remembered").isRegularFile();
    }

    @Test
    void refuseANodeWhoseTensorDiffersInOneBitAndNameIt() throws Exception {
        Path right = ModelCopies.copy(folder, "right");
        Path wrong = ModelCopies.copy(folder, "wrong");
        ModelCopies.damage(wrong, TENSOR);
        String sentence = ": another checkpoint of model 'tales': tensor " + TENSOR
                + " differs: here [0-9a-f]{16}, there [0-9a-f]{16}; copy one checkpoint to both nodes";

        try (TestNodes nodes = new TestNodes(2, TWO_RANKS);
                Troupe troupe = nodes.connect()) {
            nodes.start(right, Map.of());
            TroupeNode refused = nodes.start(wrong, Map.of());
            Troupe.Description description = TestNodes.await(
                    troupe,
                    now -> now.ready()
                            && !now.refused().isEmpty()
                            && !refused.refused().isEmpty());

            assertThat(description.nodes()).hasSize(2);
            assertThat(description.refused()).singleElement().asString().matches("127\\.0\\.0\\.2:\\d+" + sentence);
            assertThat(refused.refused()).singleElement().asString().matches("127\\.0\\.0\\.1:\\d+" + sentence);
            assertThat(String.join("\n", description.placement()))
                    .contains("127.0.0.1")
                    .doesNotContain("127.0.0.2");
            assertThat(complete(troupe).choices().getFirst().tokens().size()).isEqualTo(4);
            try (Troupe there = Troupe.connect(refused.incarnation().replaceAll("#.*", ""), ClientSystem.config())) {
                assertThatThrownBy(() -> complete(there))
                        .hasMessageContaining(
                                "model tales cannot be served from here: node 127.0.0.1:%s, which schedules it, has another checkpoint of model 'tales': tensor %s differs"
                                        .formatted(refused.incarnation().replaceAll(".*:|#.*", ""), TENSOR));
            }
        }
    }

    @Test
    void holdEveryRowThatIsLoadedAgainstWhatIsRemembered() throws Exception {
        Path model = ModelCopies.copy(folder, "model");
        try (TestNodes nodes = new TestNodes(1, Map.of());
                Troupe troupe = nodes.connect()) {
            nodes.start(model, Map.of());
            TestNodes.await(troupe, Troupe.Description::ready);
        }
        ModelCopies.damageUnseen(model, TENSOR);

        try (TestNodes nodes = new TestNodes(1, Map.of());
                Troupe troupe = nodes.connect()) {
            nodes.start(model, Map.of());

            assertThatThrownBy(() -> complete(troupe))
                    .hasMessageContaining("of tensor '" + TENSOR + "' are not those that fingerprint")
                    .hasMessageContaining("the file has changed or is damaged");
        }
    }
}
