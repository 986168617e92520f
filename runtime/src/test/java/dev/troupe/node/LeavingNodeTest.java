package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

@Tag("scenarios")
class LeavingNodeTest {
    /** What is sent to an entity of a leaving node keeps its region from ending until a time limit. */
    @Test
    void leavesNoMessageBehindThatHoldsItUp() throws Exception {
        Path model = Path.of("src", "main", "models", "tales").toAbsolutePath();
        Logger sharding = (Logger) LoggerFactory.getLogger("org.apache.pekko.cluster.sharding");
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        sharding.addAppender(log);
        try (TestNodes nodes = new TestNodes(2, Map.of());
                Troupe troupe = nodes.connect()) {
            nodes.start(model, Map.of());
            nodes.start(model, Map.of());
            TestNodes.await(troupe, Troupe.Description::ready);
            // Both leave at the end of this block.
        } finally {
            sharding.detachAppender(log);
        }

        assertThat(log.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .noneMatch(line -> line.contains("timed out"));
    }

    /** Every node but the one that the client talks to leaves in turn, the scheduler's and the coordinator's included. */
    @Test
    void handsOverWhatItDoesBeforeItGoes() throws Exception {
        Path model = Path.of("src", "main", "models", "tales").toAbsolutePath();
        Logger sharding = (Logger) LoggerFactory.getLogger("org.apache.pekko.cluster.sharding");
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        TextRequest request = TextRequest.greedy("Once upon a time", 120).withIgnoreEos(true);
        try (TestNodes nodes =
                new TestNodes(3, Map.of("troupe.replica.tensor-parallel", 2, "troupe.replica.pipeline-parallel", 2))) {
            List<TroupeNode> leaving = List.of(nodes.start(model, Map.of()), nodes.start(model, Map.of()));
            nodes.start(model, Map.of());
            try (Troupe troupe = nodes.connect(3)) {
                TestNodes.await(troupe, Troupe.Description::ready);
                Completion undisturbed = get(troupe.complete(request));
                sharding.addAppender(log);
                for (TroupeNode node : leaving) {
                    AtomicInteger tokens = new AtomicInteger();
                    Completion disturbed = get(troupe.generate(request)
                            .map(event -> {
                                if (event instanceof TextEvent.Token && tokens.incrementAndGet() == 20) {
                                    node.close();
                                }
                                return event;
                            })
                            .runWith(Sink.seq(), troupe.system())
                            .thenApply(Completion::of));

                    assertThat(disturbed.choices()).isEqualTo(undisturbed.choices());
                    get(node.system().getWhenTerminated());
                }
            }
        } finally {
            sharding.detachAppender(log);
        }

        assertThat(log.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .noneMatch(line -> line.contains("allocation failed"));
    }

    private static <T> T get(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES);
    }
}
