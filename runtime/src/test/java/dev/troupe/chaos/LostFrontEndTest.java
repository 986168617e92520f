package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.NodeProcess;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.FinishReason;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The node that owns the generation, that schedules it and that computes a rank is killed. */
@ExtendWith(SharedCluster.class)
@Tag("scenarios")
@Order(SharedCluster.LAST)
class LostFrontEndTest {
    @Test
    void goesOnEventForEventAfterTheFirstToken(ChaosCluster cluster) throws Exception {
        TextRequest request = TextRequest.greedy("Once upon a time", 60).withIgnoreEos(true);

        assertThat(killedAfter(2, request, cluster)).hasSize(61);
    }

    @Test
    void goesOnWithTwoSeededChoices(ChaosCluster cluster) throws Exception {
        TextRequest request = TextRequest.greedy("Lily and Tom", 60)
                .withIgnoreEos(true)
                .withChoices(2)
                .withSampling(new SamplingParameters(1, 40, 0.95f, 0, 1, 0, 0, Map.of(), 7, 2));

        List<TextEvent> events = killedAfter(60, request, cluster);

        assertThat(byChoice(events)).hasSize(2);
        assertThat(byChoice(events).get(0)).isNotEqualTo(byChoice(events).get(1));
    }

    @Test
    void goesOnUpToAStopText(ChaosCluster cluster) throws Exception {
        // It comes after some 130 tokens, and not as one of them.
        TextRequest request =
                TextRequest.greedy("Once upon a time", 300).withIgnoreEos(true).withStop(List.of("with a hole"));

        List<TextEvent> events = killedAfter(90, request, cluster);

        assertThat(events.getLast())
                .isInstanceOfSatisfying(
                        TextEvent.Ended.class, end -> assertThat(end.reason()).isEqualTo(FinishReason.STOP));
        assertThat(events.size()).isLessThan(301);
    }

    /** The events after {@code Started} of a stream whose front end is killed; they must be those of the undisturbed one. */
    private static List<TextEvent> killedAfter(int count, TextRequest request, ChaosCluster cluster) throws Exception {
        String node = Chaos.find(cluster.describe(), "scheduler", 0).node();
        Troupe troupe = cluster.at(node);
        List<TextEvent> undisturbed = events(troupe, request, () -> {}, -1);
        NodeProcess victim = cluster.process(node);

        List<TextEvent> disturbed = events(troupe, request, victim::kill, count);

        assertThat(victim.isAlive()).isFalse();
        assertThat(disturbed.size()).isGreaterThan(count);
        assertThat(byChoice(disturbed)).isEqualTo(byChoice(undisturbed));
        return disturbed;
    }

    private static List<TextEvent> events(Troupe troupe, TextRequest request, Runnable fault, int after)
            throws Exception {
        AtomicInteger seen = new AtomicInteger();
        CompletableFuture<List<TextEvent>> stream = troupe.generate(request)
                .map(event -> {
                    if (seen.incrementAndGet() == after) {
                        fault.run();
                    }
                    return event;
                })
                .runWith(Sink.seq(), troupe.system())
                .toCompletableFuture();
        List<TextEvent> events = stream.get(ChaosCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS);
        assertThat(events.getFirst()).isInstanceOf(TextEvent.Started.class);
        assertThat(events.getLast()).isInstanceOf(TextEvent.Usage.class);
        return events.subList(1, events.size() - 1);
    }

    /** Which of two choices comes first in a step depends on the steps. */
    private static Map<Integer, List<TextEvent>> byChoice(List<TextEvent> events) {
        Map<Integer, List<TextEvent>> choices = new TreeMap<>();
        for (TextEvent event : events) {
            int choice = switch (event) {
                case TextEvent.Started _, TextEvent.Usage _ -> throw new AssertionError("told twice: " + event);
                case TextEvent.Token token -> token.choice();
                case TextEvent.PromptToken token -> token.choice();
                case TextEvent.Logits row -> row.choice();
                case TextEvent.Hidden state -> state.choice();
                case TextEvent.Ended end -> end.choice();
            };
            choices.computeIfAbsent(choice, _ -> new ArrayList<>()).add(event);
        }
        return choices;
    }
}
