package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.ClientSystem;
import dev.troupe.node.LocalCluster;
import dev.troupe.node.NodeProcess;
import dev.troupe.sampling.SamplingParameters;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * Four processes whose nodes fail on purpose; a replica of two stages of two ranks, one rank on each. Whole means that all of
 * this is so; what a fault has ended is then started again, as a supervisor would.
 */
final class ChaosCluster implements AutoCloseable {
    static final int NODES = 4;
    static final Duration PATIENCE = Duration.ofMinutes(3);

    /** Completion tokens of {@link #REQUEST}. */
    static final int TOKENS = 60;

    /** Sampled, so that a token that is drawn twice or left out changes all that follow. */
    static final TextRequest REQUEST = TextRequest.greedy("Once upon a time", TOKENS)
            .withSampling(new SamplingParameters(0.8f, 0, 0.95f, 0, 1.1f, 0, 0, Map.of(), 7, -1))
            .withIgnoreEos(true);

    /** How long the ranks may be silent before somebody looks after them. */
    static final Duration LEAST_STEP = Duration.ofSeconds(3);

    /** Plain loops need no good compiler, and without one a process starts in half the time; they give the same bits. */
    private static final String KERNELS = System.getProperty("troupe.test.kernels", "reference");

    private static final List<String> JVM = Stream.of(
                    Stream.of("-XX:-UseParallelGC", "-XX:+UseSerialGC", "-Xmx384m", "-XX:-UsePerfData"),
                    KERNELS.equals("reference") ? Stream.of("-XX:TieredStopAtLevel=1") : Stream.<String>of())
            .flatMap(options -> options)
            .toList();

    private final LocalCluster cluster;
    private @Nullable ActorSystem<Void> client;
    private final Map<TextRequest, StreamWatch> undisturbed = new HashMap<>();

    private ChaosCluster(LocalCluster cluster) {
        this.cluster = cluster;
    }

    /** Reaches the nodes; one for all tests, as users have it. */
    private ActorSystem<Void> client() {
        ActorSystem<Void> now = client;
        if (now == null) {
            now = ActorSystem.create(Behaviors.empty(), "troupe", ClientSystem.config());
            client = now;
        }
        return now;
    }

    /** Starts the processes; {@link #makeWhole} waits for them. */
    static ChaosCluster start() throws IOException {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("troupe.models", Map.of("tales", "tales"));
        settings.put("troupe.replica.pipeline-parallel", 2);
        settings.put("troupe.replica.tensor-parallel", 2);
        settings.put("troupe.device.threads", 1);
        // Many chunks, so that there is time for a fault within a prompt.
        settings.put("troupe.scheduler.prefill-chunk", 16);
        settings.put("troupe.scheduler.waits.least-step", LEAST_STEP.toMillis() + "ms");
        // Epochs follow each other quickly here, on purpose.
        settings.put("troupe.scheduler.waits.retry", "200ms");
        settings.put("troupe.scheduler.waits.grow", "500ms");
        settings.put("troupe.chaos.enabled", true);
        settings.put("troupe.chaos.unit-delay", KERNELS.equals("reference") ? "0ms" : "1ms");
        settings.put("troupe.device.kernels", KERNELS);
        // Nodes come and go all the time here.
        settings.put("pekko.cluster.gossip-interval", "200ms");
        settings.put("pekko.cluster.leader-actions-interval", "200ms");
        settings.put("pekko.cluster.periodic-tasks-initial-delay", "200ms");
        settings.put("pekko.cluster.retry-unsuccessful-join-after", "1s");
        return new ChaosCluster(LocalCluster.start(NODES, settings, null, JVM));
    }

    /** Artery's address of the n-th node, from 1. */
    String node(int n) {
        return cluster.address().replace("127.0.0.1:", "127.0.0.%d:".formatted(n));
    }

    /** The process at this address. */
    NodeProcess process(String node) {
        return cluster.processes().get(index(node));
    }

    private int index(String node) {
        return IntStream.range(0, NODES)
                .filter(i -> node(i + 1).equals(node))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no node " + node));
    }

    /** Starts a node that has ended. */
    void restart(String node) {
        cluster.restart(index(node));
    }

    /** All nodes but one. */
    List<String> others(String node) {
        return IntStream.rangeClosed(1, NODES)
                .mapToObj(this::node)
                .filter(other -> !other.equals(node))
                .toList();
    }

    /** Nodes whose process has ended. */
    List<String> ended() {
        return IntStream.rangeClosed(1, NODES)
                .mapToObj(this::node)
                .filter(node -> !process(node).isAlive())
                .toList();
    }

    /** Waits until somebody listens on Artery's port of {@code node}. */
    void awaitPort(String node) throws InterruptedException {
        int colon = node.indexOf(':');
        InetSocketAddress address =
                new InetSocketAddress(node.substring(0, colon), Integer.parseInt(node.substring(colon + 1)));
        await("somebody listens at " + node, () -> {
            try (Socket socket = new Socket()) {
                socket.connect(address, 1000);
                return true;
            } catch (IOException e) {
                return false;
            }
        });
    }

    /** Waits until {@code process} is gone. */
    void awaitEnd(NodeProcess process) throws InterruptedException {
        await(process.name() + " ends", () -> !process.isAlive());
    }

    /** Looks until it is so. */
    void await(String what, BooleanSupplier isSo) throws InterruptedException {
        long begin = System.nanoTime();
        while (!isSo.getAsBoolean()) {
            if (System.nanoTime() - begin > PATIENCE.toNanos()) {
                throw new AssertionError("not within %s: %s%s".formatted(PATIENCE, what, tails()));
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    /** Tells nodes what to do to themselves. */
    Chaos chaos() {
        return new Chaos(client());
    }

    /** Through the front end of {@code node}. It needs no closing. */
    Troupe at(String node) {
        return Troupe.connect(client(), node);
    }

    /** Through the front end of a node that plays none of these roles; of several, the one that hosts the fewest ranks. */
    Troupe besides(String... roles) throws Exception {
        Troupe.Description now = describe();
        List<String> taken = Stream.of(roles).map(now.roles()::get).toList();
        return at(now.nodes().stream()
                .filter(other -> !taken.contains(other))
                .min(Comparator.<String>comparingLong(other -> ranks(now)
                                .filter(rank -> rank.getValue().equals(other))
                                .count())
                        .thenComparing(Comparator.naturalOrder()))
                .orElseThrow(() -> new AssertionError("every node plays one of " + List.of(roles) + ": " + now)));
    }

    /** A rank that is with neither the owner of the stream nor the scheduler. */
    static String rankApart(Troupe troupe) throws Exception {
        Map<String, String> roles = describe(troupe).roles();
        return ranks(roles)
                .filter(rank -> !rank.getValue().equals(roles.get("owner"))
                        && !rank.getValue().equals(roles.get("scheduler")))
                .map(Map.Entry::getKey)
                .sorted()
                .findFirst()
                .orElseThrow(() -> new AssertionError("no rank stands apart: " + roles));
    }

    /** The ranks, each with its node. */
    static Stream<Map.Entry<String, String>> ranks(Troupe.Description now) {
        return ranks(now.roles());
    }

    private static Stream<Map.Entry<String, String>> ranks(Map<String, String> roles) {
        return roles.entrySet().stream().filter(role -> role.getKey().startsWith("stage-"));
    }

    /** Who plays what, as any node knows it. */
    Troupe.Description describe() throws Exception {
        return describe(Troupe.connect(
                client(),
                String.join(
                        ",",
                        IntStream.rangeClosed(1, NODES).mapToObj(this::node).toList())));
    }

    /**
     * The node that plays {@code role}, as {@code troupe} knows it.
     *
     * @throws IllegalArgumentException if nobody does
     */
    static String player(Troupe troupe, String role) throws Exception {
        return Chaos.find(describe(troupe), role, 0).node();
    }

    /** The same where nothing may be thrown that is checked. */
    static Troupe.Description describeNow(Troupe troupe) {
        return troupe.describe(Duration.ofSeconds(20)).toCompletableFuture().join();
    }

    static Troupe.Description describe(Troupe troupe) throws Exception {
        return troupe.describe(Duration.ofSeconds(20))
                .toCompletableFuture()
                .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    /** The stream of {@code request} without a fault; made once, by the whole cluster. */
    StreamWatch undisturbed(TextRequest request) throws Exception {
        StreamWatch known = undisturbed.get(request);
        if (known == null) {
            known = ChaosRun.undisturbed(besides("scheduler"), request);
            undisturbed.put(request, known);
        }
        return known;
    }

    /**
     * Computes {@link #REQUEST} once in this epoch, so that the slow first steps of cold code are forgotten, which the time
     * limits of steps follow.
     */
    void settle(Troupe troupe) throws Exception {
        StreamWatch again = ChaosRun.undisturbed(troupe, REQUEST);
        assertThat(undisturbed(REQUEST).differenceFrom(again)).isEmpty();
    }

    /** Messages of other epochs that nodes have dropped, all together. */
    long stale() throws Exception {
        long stale = 0;
        for (int n = 1; n <= NODES; n++) {
            stale += Evidence.observe(chaos(), node(n)).stale();
        }
        return stale;
    }

    /** Runs the experiment with {@link #REQUEST}; the fault must take effect, and the stream must not differ. */
    ChaosRun.Outcome survives(Troupe troupe, ChaosRun run) throws Exception {
        return survives(troupe, run, REQUEST);
    }

    ChaosRun.Outcome survives(Troupe troupe, ChaosRun run, TextRequest request) throws Exception {
        ChaosRun.Outcome outcome = run.run(troupe, request, undisturbed(request));
        System.out.printf("%s at %s: %s%n", run.fault().label(), run.at().label(), outcome);
        assertThat(outcome.evidence().tookEffect())
                .as(outcome.evidence().seen())
                .isTrue();
        assertThat(outcome.difference()).as(outcome + tails()).isEmpty();
        return outcome;
    }

    /** What the nodes printed last. */
    String tails() {
        StringBuilder tails = new StringBuilder();
        for (NodeProcess process : cluster.processes()) {
            tails.append("%n--- %s%n%s".formatted(process.name(), process.logTail()));
        }
        return tails.toString();
    }

    /** Starts again what has ended, and waits until all is what was started. */
    void makeWhole() throws Exception {
        new Supervisor(this).makeWhole();
    }

    /** Kills all processes. */
    void kill() {
        cluster.processes().forEach(NodeProcess::kill);
    }

    @Override
    public void close() {
        kill();
        cluster.close();
        if (client != null) {
            client.terminate();
        }
    }
}
