package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;

/** A scheduler, a replica that only counts, and time that stands still. */
abstract class SchedulerFixture {
    static final Duration STEP = Duration.ofSeconds(5);
    static final SchedulerSettings.Waits WAITS = new SchedulerSettings.Waits(
            Duration.ofHours(1),
            Duration.ofSeconds(1),
            Duration.ofSeconds(60),
            Duration.ofSeconds(30),
            STEP,
            Duration.ZERO);

    /** Busy build machines need more than the kit's three seconds. */
    private static final Config PATIENT =
            ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s");

    final ActorTestKit kit = ActorTestKit.create(ManualTime.config().withFallback(PATIENT));
    final ManualTime time = ManualTime.get(kit.system());
    final TestProbe<Scheduler.Update> generation = kit.createTestProbe();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    static SchedulerSettings settings(int stages, int ranks) {
        StepLimits limits = new StepLimits(32, 16, 8, 8, stages, 8);
        return new SchedulerSettings("counting", 0, stages, ranks, limits, 200, 6, 1 << 20, WAITS);
    }

    ActorRef<Scheduler.Command> scheduler(FakeReplica replica, int stages, int ranks) {
        return kit.spawn(Scheduler.create(settings(stages, ranks), replica.placement(), () -> 0));
    }

    static Submission submission(String id, int promptLength, int maxTokens) {
        return submission(id, promptLength, maxTokens, 1);
    }

    static Submission submission(String id, int promptLength, int maxTokens, int n) {
        return new Submission(
                new GenerationId(id, "test"),
                "trace-" + id,
                Ints.of(IntStream.range(0, promptLength).map(i -> i % 50).toArray()),
                IntStream.range(0, n)
                        .mapToObj(choice -> new Submission.Choice(choice, Ints.of()))
                        .toList(),
                SamplingParameters.greedy(),
                new FinishRule(maxTokens, Ints.of()),
                Returns.TOKENS_ONLY);
    }

    static List<Integer> tokens(List<Scheduler.Advanced> advances, int choice) {
        List<Integer> tokens = new ArrayList<>();
        for (Scheduler.Advanced advance : advances) {
            for (Output output : advance.outputs()) {
                if (output.choice() == choice && output instanceof Output.Token token) {
                    tokens.add(token.token());
                }
            }
        }
        return tokens;
    }

    List<Scheduler.Advanced> receive(int advances) {
        List<Scheduler.Advanced> received = new ArrayList<>();
        for (int i = 0; i < advances; i++) {
            received.add(generation.expectMessageClass(Scheduler.Advanced.class));
        }
        return received;
    }

    GenerationFailure expectFailure() {
        return generation.expectMessageClass(Scheduler.Failed.class).failure();
    }

    SchedulerStats stats(ActorRef<Scheduler.Command> scheduler) {
        TestProbe<SchedulerStats> probe = kit.createTestProbe();
        scheduler.tell(new Scheduler.GetStats(probe.getRef()));
        return probe.receiveMessage();
    }

    /** Lets time pass as long as it takes to be there, and no longer: steps in flight have deadlines. */
    boolean isInEpoch(FakeReplica replica, int round) {
        if (!replica.isForming(round)) {
            time.timePasses(WAITS.retry());
        }
        return replica.isForming(round);
    }

    /** Waits in real time: the test kit's own clock stands still. */
    static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waited too long for " + what).isLessThan(end);
            Thread.onSpinWait();
        }
    }

    void serveOne(ActorRef<Scheduler.Command> scheduler, String id) {
        TestProbe<Scheduler.Update> probe = kit.createTestProbe();
        Submission submission = submission(id, 3, 2);
        scheduler.tell(new Scheduler.Submit(submission, probe.getRef()));
        probe.expectMessageClass(Scheduler.Accepted.class);
        Scheduler.Advanced first = probe.expectMessageClass(Scheduler.Advanced.class);
        Scheduler.Advanced second = probe.expectMessageClass(Scheduler.Advanced.class);
        assertThat(tokens(List.of(first, second), 0)).isEqualTo(CountingReplica.completion(submission, 0));
    }
}
