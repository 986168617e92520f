package dev.troupe.chaos;

import dev.troupe.client.Troupe;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Starts again what has ended of a cluster, and sees that it is whole. */
record Supervisor(ChaosCluster cluster) {
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(1);
    private static final Duration RENEW_EVERY = Duration.ofSeconds(2);
    private static final long LOOK_EVERY_MILLIS = 100;
    private static final double NANOS_PER_MILLI = 1e6;

    /** Not all nodes know yet what they should. */
    private static final class NotAgreed extends Exception {
        private static final long serialVersionUID = 1L;

        NotAgreed(String message) {
            super(message);
        }
    }

    /** Waits until every node is what was started, they know each other, and each hosts one rank. */
    void makeWhole() throws Exception {
        long begin = System.nanoTime();
        long renewAt = begin;
        Map<String, Integer> seen = new LinkedHashMap<>();
        while (System.nanoTime() - begin < ChaosCluster.PATIENCE.toNanos()) {
            cluster.ended().forEach(cluster::restart);
            try {
                Troupe.Description now = agreed();
                seen.merge("ready=%s %s".formatted(now.ready(), now.roles()), 1, Integer::sum);
                if (now.ready() && isSpread(now)) {
                    System.out.printf("whole after %.0f ms; %s%n", (System.nanoTime() - begin) / NANOS_PER_MILLI, seen);
                    return;
                }
                if (now.ready() && System.nanoTime() >= renewAt) {
                    renewAt = System.nanoTime() + RENEW_EVERY.toNanos();
                    renew(now);
                }
            } catch (ExecutionException | ChaosRefusedException | NotAgreed e) {
                seen.merge(String.valueOf(e), 1, Integer::sum);
            }
            TimeUnit.MILLISECONDS.sleep(LOOK_EVERY_MILLIS);
        }
        String tails = cluster.tails();
        cluster.kill(); // the next attempt is not to suffer from the same
        throw new AssertionError("not whole again; seen, how often: %s%s".formatted(seen, tails));
    }

    /** What the nodes say, if all that were started are there and know each other. */
    private Troupe.Description agreed() throws Exception {
        Troupe.@Nullable Description first = null;
        for (int n = ChaosCluster.NODES; n > 0; n--) {
            Troupe.Description now = described(cluster.node(n));
            String scheduler = now.roles().get("scheduler");
            if (scheduler == null || !agrees(first, scheduler)) {
                throw new NotAgreed("%s takes %s for the scheduler".formatted(cluster.node(n), scheduler));
            }
            first = now;
        }
        return Objects.requireNonNull(first);
    }

    private static boolean agrees(Troupe.@Nullable Description other, String scheduler) {
        return other == null || scheduler.equals(other.roles().get("scheduler"));
    }

    private Troupe.Description described(String node) throws Exception {
        ChaosAgent.Answer answer = cluster.chaos()
                .observe(node, ANSWER_WITHIN)
                .toCompletableFuture()
                .get();
        long started = cluster.process(node).pid();
        if (!(answer instanceof ChaosAgent.Observation seen) || seen.pid() != started) {
            throw new NotAgreed("%s says %s, process %d was started".formatted(node, answer, started));
        }
        Troupe.Description now =
                cluster.at(node).describe(ANSWER_WITHIN).toCompletableFuture().get();
        if (now.nodes().size() != ChaosCluster.NODES) {
            throw new NotAgreed("%s knows %s".formatted(node, now.nodes()));
        }
        return now;
    }

    private static boolean isSpread(Troupe.Description now) {
        List<String> hosts = ChaosCluster.ranks(now).map(Map.Entry::getValue).toList();
        return hosts.size() == ChaosCluster.NODES && new HashSet<>(hosts).size() == ChaosCluster.NODES;
    }

    /** The next epoch uses all nodes; this one ends with its connections. */
    private void renew(Troupe.Description now) {
        cluster.chaos().inject(Chaos.find(now, "stage-0/rank-0", 0).node(), new Fault.ResetConnections());
    }
}
