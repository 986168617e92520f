package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.client.Completion;
import dev.troupe.client.RequestFailedException;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Requests that come before the cluster is complete. */
class EarlyRequestsTest {
    private static final Path MODEL = Path.of("src", "main", "models", "tales").toAbsolutePath();
    private static final TextRequest REQUEST = TextRequest.greedy("Once upon a time", 4);

    @Test
    void waitForTheLastNode() throws Exception {
        try (TestNodes nodes = new TestNodes(2, Map.of());
                Troupe troupe = nodes.connect()) {
            nodes.start(MODEL, Map.of());
            CompletableFuture<Completion> answer = troupe.complete(REQUEST).toCompletableFuture();
            TestNodes.await(troupe, description -> description.nodes().size() == 1);
            assertThat(answer).isNotDone();

            nodes.start(MODEL, Map.of());

            assertThat(answer.get(TestNodes.MINUTES, TimeUnit.MINUTES)
                            .choices()
                            .getFirst()
                            .tokens()
                            .size())
                    .isEqualTo(4);
        }
    }

    @Test
    void endWithWhatIsMissingAfterTheConfiguredTime() throws Exception {
        try (TestNodes nodes = new TestNodes(2, Map.of("troupe.scheduler.waits.cluster", "2s"));
                Troupe troupe = nodes.connect()) {
            TroupeNode only = nodes.start(MODEL, Map.of());
            TestNodes.await(troupe, description -> description.nodes().size() == 1);

            assertThatThrownBy(() ->
                            troupe.complete(REQUEST).toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES))
                    .cause()
                    .isInstanceOf(RequestFailedException.class)
                    .hasMessage(
                            "model tales could not be served within 2.0 s: 1 of 2 nodes are in the cluster (%s); start the others, or set troupe.cluster.nodes to how many there are"
                                    .formatted(only.incarnation().replaceAll("#.*", "")));
        }
    }
}
