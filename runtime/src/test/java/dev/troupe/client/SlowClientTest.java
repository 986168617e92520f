package dev.troupe.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerStats;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.SinkQueueWithCancel;
import org.junit.jupiter.api.Test;

class SlowClientTest {
    private static final int TOKENS = 300;
    private static final int MINUTES = 2;

    @Test
    void getsEveryEventHoweverLateItTakesThem() throws Exception {
        TextRequest request = TextRequest.greedy("Once upon a time", TOKENS).withIgnoreEos(true);
        try (Troupe troupe = LocalTroupe.start(
                ModelLocation.of(Path.of("src", "main", "models", "tales")
                        .toAbsolutePath()
                        .toString()),
                1,
                1)) {
            AtomicInteger passed = new AtomicInteger();
            SinkQueueWithCancel<TextEvent> slow = troupe.generate(request)
                    .map(event -> {
                        passed.incrementAndGet();
                        return event;
                    })
                    .runWith(Sink.queue(), troupe.system());
            List<TextEvent> events = new ArrayList<>(List.of(pull(slow).orElseThrow()));
            awaitTokens(troupe, TOKENS);
            // A whole stream after it: whatever was on its way to the slow client has come as far as it can.
            Completion other = complete(troupe, request);
            int fits = passed.get();

            for (Optional<TextEvent> event = pull(slow); event.isPresent(); event = pull(slow)) {
                events.add(event.get());
            }

            assertThat(fits).as("events beyond which all buffers were full").isBetween(1, TOKENS / 2);
            assertThat(passed.get()).isGreaterThan(TOKENS);
            assertThat(Completion.of(events).text()).isEqualTo(other.text());
        }
    }

    /** Waits until that many tokens were computed for clients, whether they took them or not. */
    private static void awaitTokens(Troupe troupe, long tokens) throws Exception {
        ActorRef<Scheduler.Command> scheduler =
                ActorRefResolver.get(troupe.system()).resolveActorRef("pekko://troupe/system/troupe-scheduler");
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(MINUTES);
        long computed = 0;
        while (computed < tokens) {
            assertThat(System.nanoTime()).as("%d tokens so far", computed).isLessThan(deadline);
            computed = AskPattern.<Scheduler.Command, SchedulerStats>ask(
                            scheduler,
                            Scheduler.GetStats::new,
                            Duration.ofMinutes(MINUTES),
                            troupe.system().scheduler())
                    .toCompletableFuture()
                    .get(MINUTES, TimeUnit.MINUTES)
                    .completionTokens();
        }
    }

    private static Optional<TextEvent> pull(SinkQueueWithCancel<TextEvent> queue) throws Exception {
        return queue.pull().toCompletableFuture().get(MINUTES, TimeUnit.MINUTES);
    }

    private static Completion complete(Troupe troupe, TextRequest request) throws Exception {
        return troupe.complete(request).toCompletableFuture().get(MINUTES, TimeUnit.MINUTES);
    }
}
