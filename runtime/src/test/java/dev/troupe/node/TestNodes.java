package dev.troupe.node;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/** Nodes of one cluster in this JVM, on 127.0.0.1 and the addresses after it. */
final class TestNodes implements AutoCloseable {
    static final int MINUTES = 4;

    private final int port = freePort();
    private final int size;
    private final Map<String, ?> settings;
    private final List<TroupeNode> nodes = new ArrayList<>();

    /**
     * @param size how many nodes make the cluster complete
     * @param settings of all nodes by whole key, beside addresses and seeds
     */
    TestNodes(int size, Map<String, ?> settings) {
        this.size = size;
        this.settings = settings;
    }

    /** Starts the next node, with a model of this directory, and settings of its own. */
    TroupeNode start(Object model, Map<String, ?> own) throws IOException {
        int n = nodes.size() + 1;
        Map<String, Object> all = new LinkedHashMap<>(settings);
        all.put("troupe.models", Map.of("tales", model.toString()));
        all.put("troupe.node.host", "127.0.0." + n);
        all.put("troupe.node.port", port);
        all.put("troupe.cluster.seed-nodes", List.of("127.0.0.1:" + port));
        all.put("troupe.cluster.nodes", size);
        all.put("troupe.wire.lane-port", 0);
        all.put("troupe.device.threads", 1);
        all.putAll(own);
        TroupeNode node = TroupeNode.start(NodeConfig.of(ConfigFactory.parseMap(all)), LoadProgress.NONE);
        nodes.add(node);
        return node;
    }

    /** Talks to the front end of the first node. */
    Troupe connect() {
        return Troupe.connect("127.0.0.1:" + port, ClientSystem.config());
    }

    /** Talks to the front end of the n-th node, from 1. */
    Troupe connect(int n) {
        return Troupe.connect("127.0.0.%d:%d".formatted(n, port), ClientSystem.config());
    }

    /** What {@code troupe} says of itself as soon as it says what is wanted. */
    static Troupe.Description await(Troupe troupe, Predicate<Troupe.Description> wanted) throws Exception {
        long end = System.nanoTime() + Duration.ofMinutes(MINUTES).toNanos();
        Troupe.Description last = null;
        while (System.nanoTime() < end) {
            CompletableFuture<Troupe.Description> answer =
                    troupe.describe(Duration.ofSeconds(20)).toCompletableFuture();
            last = answer.get(MINUTES, TimeUnit.MINUTES);
            if (wanted.test(last)) {
                return last;
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
        throw new AssertionError("not within %d minutes; last: %s".formatted(MINUTES, last));
    }

    /** Looks at something until it is so. */
    static void await(String what, BooleanSupplier isSo) throws InterruptedException {
        long end = System.nanoTime() + Duration.ofMinutes(MINUTES).toNanos();
        while (!isSo.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within %d minutes: %s".formatted(MINUTES, what));
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        nodes.forEach(TroupeNode::close);
        nodes.forEach(
                node -> node.system().getWhenTerminated().toCompletableFuture().join());
    }
}
