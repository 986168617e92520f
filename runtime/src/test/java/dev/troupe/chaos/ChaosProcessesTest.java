package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What may happen to nodes, beside a plain kill, without a stream noticing. */
@ExtendWith(SharedCluster.class)
@Tag("scenarios")
@Order(SharedCluster.LAST)
class ChaosProcessesTest {
    private static final int TOKEN = 20;

    /** Longer than it takes to replace who is silent, shorter than the resolver waits. */
    private static final Duration SLEEP = ChaosCluster.LEAST_STEP.multipliedBy(4);

    private static final Duration STUCK = ChaosCluster.LEAST_STEP.multipliedBy(4);

    private static final Duration LONG_STUCK = ChaosCluster.LEAST_STEP.multipliedBy(10);

    /** Longer than a device must be slow to be left. */
    private static final Duration SLOW = Duration.ofSeconds(20);

    private static final int RESETS = 4;

    /** A stream that gains no token between two losses is taken for their cause. */
    private static final long RESET_EVERY_MILLIS = 1500;

    @Test
    void aRankMayDieInsideAnExchange(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");

        cluster.survives(troupe, ChaosRun.of(ChaosCluster.rankApart(troupe), new Fault.CrashInExchange(), TOKEN));
    }

    @Test
    void theSchedulersNodeMayDieInsideAnExchange(ChaosCluster cluster) throws Exception {
        cluster.survives(cluster.besides("scheduler"), ChaosRun.of("scheduler", new Fault.CrashInExchange(), TOKEN));
    }

    @Test
    void aRankMayDieWithinAPrompt(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        TextRequest request = TextRequest.greedy("", 20)
                .withPrompt(new TextRequest.Tokens(
                        Ints.of(IntStream.range(0, 200).map(i -> 10 + i).toArray())))
                .withIgnoreEos(true);

        ChaosRun.Outcome outcome = cluster.survives(
                troupe, ChaosRun.of(ChaosCluster.rankApart(troupe), new Fault.Kill(), Moment.prefill()), request);

        assertThat(outcome.epochs()).hasSizeGreaterThan(1);
    }

    @Test
    void aSecondsPauseChangesNothing(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");

        ChaosRun.Outcome outcome = cluster.survives(
                troupe, ChaosRun.of(ChaosCluster.rankApart(troupe), new Fault.Pause(Duration.ofSeconds(1)), TOKEN));

        assertThat(outcome.epochs()).hasSize(1);
    }

    @Test
    void aNodeThatSleepsIsReplacedBeforeItWakes(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        cluster.settle(troupe);
        long before = cluster.stale();

        ChaosRun.Outcome outcome =
                cluster.survives(troupe, ChaosRun.of(ChaosCluster.rankApart(troupe), new Fault.Pause(SLEEP), TOKEN));

        assertThat(outcome.epochs()).hasSizeGreaterThan(1);
        assertThat(outcome.gapMillis()).isLessThan((double) SLEEP.toMillis());
        cluster.makeWhole();
        assertThat(cluster.stale())
                .as("what the sleeper still said was refused")
                .isGreaterThan(before);
    }

    @Test
    void aKernelThatHangsInAHealthyProcessIsReplaced(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        cluster.settle(troupe);

        ChaosRun.Outcome outcome = cluster.survives(
                troupe, ChaosRun.of(ChaosCluster.rankApart(troupe), new Fault.StuckKernel(STUCK), TOKEN));

        assertThat(outcome.epochs()).hasSizeGreaterThan(1);
        assertThat(outcome.gapMillis()).isLessThan((double) STUCK.toMillis());
    }

    @Test
    void connectionsMayBeResetAgainAndAgain(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        String rank = ChaosCluster.rankApart(troupe);
        String victim = Chaos.find(ChaosCluster.describe(troupe), rank, 0).node();
        Thread storm = Thread.ofVirtual().start(() -> {
            try {
                for (int i = 0; i < RESETS; i++) {
                    TimeUnit.MILLISECONDS.sleep(RESET_EVERY_MILLIS);
                    cluster.chaos().inject(victim, new Fault.ResetConnections());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });

        cluster.survives(troupe, ChaosRun.of(rank, new Fault.ResetConnections(), TOKEN));

        storm.join();
    }

    @Test
    void aSlowNodeIsLeftAndNotKilled(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        cluster.settle(troupe);
        String rank = ChaosCluster.rankApart(troupe);
        String victim = ChaosCluster.player(troupe, rank);
        long pid = Evidence.observe(cluster.chaos(), victim).pid();
        TextRequest request = TextRequest.greedy("Once upon a time", 300).withIgnoreEos(true);

        ChaosRun.Outcome outcome =
                cluster.survives(troupe, ChaosRun.of(rank, new Fault.Slow(20, SLOW), TOKEN), request);

        assertThat(outcome.epochs()).hasSizeGreaterThan(1);
        assertThat(Evidence.observe(cluster.chaos(), victim).pid()).isEqualTo(pid);
        Troupe.Description now = ChaosCluster.describe(troupe);
        assertThat(now.nodes()).contains(victim);
    }

    @Test
    void aDeviceThatHangsInAnIdleReplicaIsReplacedBeforeARequestComes(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        cluster.settle(troupe);
        String before = ChaosCluster.describe(troupe).epoch();
        String victim = ChaosCluster.player(troupe, ChaosCluster.rankApart(troupe));
        long stuck = Evidence.observe(cluster.chaos(), victim).stuck();

        cluster.chaos().inject(victim, new Fault.StuckKernel(LONG_STUCK));
        AtomicReference<Troupe.Description> after = new AtomicReference<>();
        cluster.await("a new epoch without a request", () -> {
            after.set(ChaosCluster.describeNow(troupe));
            return after.get().ready() && !after.get().epoch().equals(before);
        });

        assertThat(Evidence.observe(cluster.chaos(), victim).stuck()).isGreaterThan(stuck);
        assertThat(ChaosCluster.ranks(after.get()).map(Map.Entry::getValue)).doesNotContain(victim);
        cluster.settle(troupe);
    }

    @Test
    void twoNodesMayDieAtOnce(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        Troupe.Description now = ChaosCluster.describe(troupe);
        List<String> others = now.nodes().stream()
                .filter(node -> !node.equals(now.roles().get("owner"))
                        && !node.equals(now.roles().get("scheduler")))
                .toList();

        cluster.survives(
                troupe,
                new ChaosRun(
                        others.getFirst(),
                        0,
                        new Fault.Kill(),
                        List.of(new ChaosRun.Beside(others.getLast(), new Fault.Kill())),
                        new Moment.AtToken(TOKEN),
                        ChaosCluster.PATIENCE));
    }
}
