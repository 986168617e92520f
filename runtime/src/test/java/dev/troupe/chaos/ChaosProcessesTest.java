package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.ClientSystem;
import dev.troupe.node.LocalCluster;
import dev.troupe.node.NodeProcess;
import dev.troupe.sampling.SamplingParameters;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Four real processes with one rank each; what ends is started again, as a supervisor would, before the next fault. */
class ChaosProcessesTest {
    private static final int NODES = 4;
    private static final int TOKENS = 80;
    private static final Duration SLEEP = Duration.ofSeconds(20);
    private static final Duration SLOW = Duration.ofSeconds(20);
    private static final int LONG = 300;
    private static final Duration STUCK = Duration.ofSeconds(40);
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final TextRequest REQUEST = request(TOKENS);

    private static LocalCluster cluster;
    private static StreamWatch undisturbed;

    @BeforeAll
    static void startsNodes() throws Exception {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("troupe.models", Map.of("tales", "tales"));
        settings.put("troupe.replica.pipeline-parallel", 2);
        settings.put("troupe.replica.tensor-parallel", 2);
        settings.put("troupe.device.threads", 1);
        settings.put("troupe.chaos.enabled", true);
        settings.put("troupe.chaos.unit-delay", "1ms");
        cluster = LocalCluster.start(NODES, settings);
        try (Troupe troupe = cluster.connect()) {
            cluster.awaitReady(troupe);
            undisturbed = ChaosRun.undisturbed(troupe, REQUEST);
        }
        assertThat(undisturbed.tokens()).isEqualTo(TOKENS);
    }

    private static TextRequest request(int tokens) {
        return TextRequest.greedy("Once upon a time", tokens)
                .withSampling(new SamplingParameters(0.8f, 0, 0.95f, 0, 1.1f, 0, 0, Map.of(), 7, -1))
                .withIgnoreEos(true);
    }

    @AfterAll
    static void endsNodes() {
        cluster.close();
    }

    /** Starts again what has ended, and waits until all nodes are what was started. */
    @BeforeEach
    void awaitWhole() throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        String last = "";
        while (System.nanoTime() < end) {
            for (int i = 0; i < NODES; i++) {
                if (!cluster.processes().get(i).isAlive()) {
                    cluster.restart(i);
                }
            }
            try (Troupe troupe = connect(1);
                    Troupe other = connect(2)) {
                Troupe.Description now = describe(troupe);
                List<Long> pids = new ArrayList<>();
                for (int i = 1; i <= NODES; i++) {
                    pids.add(Evidence.observe(new Chaos(troupe.system()), node(i))
                            .pid());
                }
                last = now + " " + pids;
                List<Long> started =
                        cluster.processes().stream().map(NodeProcess::pid).toList();
                // One that has just woken up may still live in an epoch that is over.
                boolean agreed = now.epoch().equals(describe(other).epoch());
                if (isWhole(now) && agreed && pids.equals(started)) {
                    return;
                }
            } catch (ExecutionException | ChaosRefusedException e) {
                last = String.valueOf(e);
            }
            TimeUnit.MILLISECONDS.sleep(200);
        }
        throw new AssertionError("not whole again: " + last);
    }

    /** Whether every node is there and hosts one rank: what was small has grown back, what was avoided has been forgiven. */
    private static boolean isWhole(Troupe.Description now) {
        return now.ready()
                && now.nodes().size() == NODES
                && ranks(now).map(Map.Entry::getValue).distinct().count() == NODES;
    }

    private static String node(int n) {
        return cluster.address().replace("127.0.0.1:", "127.0.0.%d:".formatted(n));
    }

    private static Troupe connect(int n) {
        return Troupe.connect(node(n), ClientSystem.config());
    }

    private static Troupe.Description describe(Troupe troupe) throws Exception {
        return troupe.describe(Duration.ofSeconds(10)).toCompletableFuture().get();
    }

    /** Through the front end of a node that is none of these roles'; of several, the one that hosts the fewest ranks. */
    private static Troupe besides(String... roles) throws Exception {
        Troupe.Description now;
        try (Troupe troupe = connect(1)) {
            now = describe(troupe);
        }
        List<String> taken = Stream.of(roles).map(now.roles()::get).toList();
        String node = now.nodes().stream()
                .filter(other -> !taken.contains(other))
                .min(Comparator.<String>comparingLong(other -> ranks(now)
                                .filter(rank -> rank.getValue().equals(other))
                                .count())
                        .thenComparing(Comparator.naturalOrder()))
                .orElseThrow(() -> new AssertionError("every node plays one of " + List.of(roles) + ": " + now));
        return Troupe.connect(node, ClientSystem.config());
    }

    private static Stream<Map.Entry<String, String>> ranks(Troupe.Description now) {
        return now.roles().entrySet().stream().filter(role -> role.getKey().startsWith("stage-"));
    }

    /** A rank that is not with the owner of the stream. */
    private static String rankApart(Troupe troupe) throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        Troupe.Description now = describe(troupe);
        while (!now.ready() && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(100);
            now = describe(troupe);
        }
        String owner = now.roles().get("owner");
        Map<String, String> roles = now.roles();
        return ranks(now)
                .filter(rank -> !rank.getValue().equals(owner))
                .map(Map.Entry::getKey)
                .sorted()
                .findFirst()
                .orElseThrow(() -> new AssertionError("no rank stands apart: " + roles));
    }

    private static ChaosRun.Outcome survives(Troupe troupe, ChaosRun run) throws Exception {
        ChaosRun.Outcome outcome = run.run(troupe, REQUEST, undisturbed);
        System.out.printf("%s %s%n", run.fault().label(), outcome);
        assertThat(outcome.evidence().tookEffect())
                .as(outcome.evidence().seen())
                .isTrue();
        assertThat(outcome.difference()).as(outcome.toString()).isEmpty();
        return outcome;
    }

    @Test
    void aStageMayDieAtTheFirstToken() throws Exception {
        aStageDiesAt(1);
    }

    @Test
    void aStageMayDieInTheMiddle() throws Exception {
        aStageDiesAt(TOKENS / 2);
    }

    @Test
    void aStageMayDieShortlyBeforeTheEnd() throws Exception {
        aStageDiesAt(TOKENS - 15);
    }

    private static void aStageDiesAt(int token) throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            ChaosRun.Outcome outcome = survives(troupe, ChaosRun.of(rankApart(troupe), new Fault.Kill(), token));

            assertThat(outcome.epochs()).hasSizeGreaterThan(1);
        }
    }

    @Test
    void aRankMayDieInsideAnExchange() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            survives(troupe, ChaosRun.of(rankApart(troupe), new Fault.CrashInExchange(), 30));
        }
    }

    @Test
    void theSchedulersNodeMayDie() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            survives(troupe, ChaosRun.of("scheduler", new Fault.Kill(), 30));
        }
    }

    @Test
    void theStreamsOwnFrontEndMayDie() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            survives(troupe, ChaosRun.of("owner", new Fault.Kill(), 30));
        }
    }

    @Test
    void theCoordinatorsNodeMayDie() throws Exception {
        try (Troupe troupe = besides("coordinator")) {
            survives(troupe, ChaosRun.of("coordinator", new Fault.Kill(), 30));
        }
    }

    @Test
    void aSecondsPauseChangesNothing() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            ChaosRun.Outcome outcome =
                    survives(troupe, ChaosRun.of(rankApart(troupe), new Fault.Pause(Duration.ofSeconds(1)), 30));

            assertThat(outcome.epochs()).hasSize(1);
        }
    }

    @Test
    void aNodeThatSleepsIsReplacedBeforeItWakesAndNobodyBelievesItThen() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            Chaos chaos = new Chaos(troupe.system());
            String rank = rankApart(troupe);
            long staleBefore =
                    stale(chaos, Chaos.find(describe(troupe), rank, 0).node());

            ChaosRun.Outcome outcome = survives(troupe, ChaosRun.of(rank, new Fault.Pause(SLEEP), 30));

            assertThat(outcome.gapMillis()).isLessThan((double) SLEEP.toMillis());
            String sleeper = outcome.role().node();
            long end = System.nanoTime() + PATIENCE.toNanos();
            long now = stale(chaos, sleeper);
            while (now <= staleBefore && System.nanoTime() < end) {
                TimeUnit.MILLISECONDS.sleep(200);
                now = stale(chaos, sleeper);
            }
            System.out.printf("stale %d, then %d%n", staleBefore, now);
            assertThat(now).isGreaterThan(staleBefore);
        }
    }

    /** Messages of epochs that are over which the other nodes have dropped so far. */
    private static long stale(Chaos chaos, String sleeper) throws Exception {
        long stale = 0;
        for (int i = 1; i <= NODES; i++) {
            stale += node(i).equals(sleeper)
                    ? 0
                    : Evidence.observe(chaos, node(i)).stale();
        }
        return stale;
    }

    @Test
    void aKernelThatHangsInAHealthyProcessIsReplaced() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            ChaosRun.Outcome outcome =
                    survives(troupe, ChaosRun.of(rankApart(troupe), new Fault.StuckKernel(STUCK), 30));

            assertThat(outcome.epochs()).hasSizeGreaterThan(1);
            assertThat(outcome.gapMillis()).isLessThan(STUCK.toMillis() / 2.0);
        }
    }

    @Test
    void connectionsMayBeResetAgainAndAgain() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            String rank = rankApart(troupe);
            Chaos chaos = new Chaos(troupe.system());
            String victim = Chaos.find(describe(troupe), rank, 0).node();
            Thread storm = Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < 5; i++) {
                        TimeUnit.MILLISECONDS.sleep(400);
                        chaos.inject(victim, new Fault.ResetConnections());
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });

            survives(troupe, ChaosRun.of(rank, new Fault.ResetConnections(), 30));

            storm.join();
        }
    }

    @Test
    void aSlowNodeIsLeftAndNotKilled() throws Exception {
        TextRequest request = request(LONG);
        try (Troupe troupe = besides("scheduler")) {
            StreamWatch inPeace = ChaosRun.undisturbed(troupe, request);
            String rank = rankApart(troupe);
            Chaos chaos = new Chaos(troupe.system());
            String victim = Chaos.find(describe(troupe), rank, 0).node();
            long pid = Evidence.observe(chaos, victim).pid();

            long began = System.nanoTime();
            ChaosRun.Outcome outcome =
                    ChaosRun.of(rank, new Fault.Slow(10, SLOW), 30).run(troupe, request, inPeace);

            System.out.printf("slow %s%n", outcome);
            assertThat(outcome.evidence().tookEffect())
                    .as(outcome.evidence().seen())
                    .isTrue();
            assertThat(outcome.difference()).as(outcome.toString()).isEmpty();
            assertThat(outcome.epochs()).hasSizeGreaterThan(1);
            boolean seen = false;
            while (System.nanoTime() - began < SLOW.toNanos()) {
                Troupe.Description now = describe(troupe);
                assertThat(ranks(now).map(Map.Entry::getValue)).doesNotContain(victim);
                assertThat(now.nodes()).hasSize(NODES);
                seen |= now.ready();
                TimeUnit.MILLISECONDS.sleep(200);
            }
            assertThat(seen).isTrue();
            assertThat(Evidence.observe(chaos, victim).pid()).isEqualTo(pid);
        }
    }

    @Test
    void aDeviceThatHangsInAnIdleReplicaIsReplacedBeforeARequestComes() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            String rank = rankApart(troupe);
            Chaos chaos = new Chaos(troupe.system());
            ChaosRun.undisturbed(troupe, REQUEST); // how long a step takes is known from now on
            Troupe.Description before = describe(troupe);
            String victim = Chaos.find(before, rank, 0).node();
            long stuck = Evidence.observe(chaos, victim).stuck();

            chaos.inject(victim, new Fault.StuckKernel(STUCK));
            long end = System.nanoTime() + STUCK.toNanos() / 2;
            Troupe.Description now = before;
            while (System.nanoTime() < end && (!now.ready() || now.epoch().equals(before.epoch()))) {
                TimeUnit.MILLISECONDS.sleep(100);
                now = describe(troupe);
            }

            assertThat(Evidence.observe(chaos, victim).stuck()).isGreaterThan(stuck);
            assertThat(now.ready()).isTrue();
            assertThat(now.epoch()).isNotEqualTo(before.epoch());
            assertThat(ranks(now).map(Map.Entry::getValue)).doesNotContain(victim);
            assertThat(undisturbed.differenceFrom(ChaosRun.undisturbed(troupe, REQUEST)))
                    .isEmpty();
        }
    }

    @Test
    void twoNodesMayDieAtOnce() throws Exception {
        try (Troupe troupe = besides("scheduler")) {
            Troupe.Description now = describe(troupe);
            List<String> others = now.nodes().stream()
                    .filter(node -> !node.equals(now.roles().get("owner"))
                            && !node.equals(now.roles().get("scheduler")))
                    .toList();

            survives(
                    troupe,
                    new ChaosRun(
                            others.getFirst(),
                            0,
                            new Fault.Kill(),
                            List.of(new ChaosRun.Beside(others.getLast(), new Fault.Kill())),
                            30,
                            PATIENCE));
        }
        awaitWhole(); // they come back, and it grows back
    }
}
