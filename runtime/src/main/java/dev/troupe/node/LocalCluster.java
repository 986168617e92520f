package dev.troupe.node;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import dev.troupe.client.Troupe;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Node processes on this machine that are started together and end together. */
public final class LocalCluster implements AutoCloseable {
    private static final Duration READY_WITHIN = Duration.ofMinutes(10);
    private static final Duration ANSWER_WITHIN = Duration.ofMillis(700);
    private static final int FIRST_PORT = 25_620;
    private static final int PORTS = 400;
    private static final String CORES = "troupe.device.cores";
    private static final String THREADS = "troupe.device.threads";

    private final List<NodeProcess> processes = new ArrayList<>();
    private final List<Path> configurations = new ArrayList<>();
    private final Path logs;
    private final String address;
    private final Config client;
    private final List<String> jvmOptions;
    private final List<String> options;
    private int restarts;

    private LocalCluster(Path logs, String address, Config client, List<String> jvmOptions, List<String> options) {
        this.logs = logs;
        this.address = address;
        this.client = client;
        this.jvmOptions = List.copyOf(jvmOptions);
        this.options = List.copyOf(options);
    }

    /**
     * Starts one node for every configuration file.
     *
     * @param directory where the files lie
     * @param files the first one is connected to
     */
    public static LocalCluster startSeeds(Path directory, List<String> files) throws IOException {
        return startSeeds(directory, files, List.of());
    }

    /**
     * The same.
     *
     * @param options further options of every {@code troupe node}
     */
    public static LocalCluster startSeeds(Path directory, List<String> files, List<String> options) throws IOException {
        for (String file : files) {
            if (!Files.isRegularFile(directory.resolve(file))) {
                throw new IOException(
                        "%s is missing; it belongs to Troupe's own files".formatted(directory.resolve(file)));
            }
        }
        String address = ConfigFactory.parseFile(
                        directory.resolve(files.getFirst()).toFile())
                .withFallback(ConfigFactory.parseResources("reference.conf"))
                .getStringList("troupe.cluster.seed-nodes")
                .getFirst();
        LocalCluster cluster = new LocalCluster(
                Files.createTempDirectory("troupe-logs"), address, ClientSystem.config(), List.of(), options);
        try {
            for (String file : files) {
                cluster.start(file.replace(".conf", ""), directory.resolve(file));
            }
            return cluster;
        } catch (RuntimeException e) {
            cluster.close();
            throw e;
        }
    }

    /**
     * Starts {@code nodes} nodes on 127.0.0.1 and the addresses after it.
     *
     * @param settings by whole key, beside addresses and seeds
     */
    public static LocalCluster start(int nodes, Map<String, ?> settings) throws IOException {
        return start(nodes, settings, null, List.of());
    }

    /**
     * The same, under TLS.
     *
     * @param certificates where {@code troupe certs} has written those of the nodes, and of a client at 127.0.0.1; null for
     *     no TLS
     */
    public static LocalCluster start(int nodes, Map<String, ?> settings, @Nullable Path certificates)
            throws IOException {
        return start(nodes, settings, certificates, List.of());
    }

    /**
     * The same. Cores in the settings, where the threads of a rank are a number, are dealt out node by node.
     *
     * @param jvmOptions further options of the nodes' JVMs, after this one's own
     */
    public static LocalCluster start(
            int nodes, Map<String, ?> settings, @Nullable Path certificates, List<String> jvmOptions)
            throws IOException {
        int port = freePorts(nodes);
        List<String> seeds = IntStream.rangeClosed(1, nodes)
                .mapToObj(n -> "127.0.0.%d:%d".formatted(n, port))
                .toList();
        LocalCluster cluster = new LocalCluster(
                Files.createTempDirectory("troupe-logs"),
                seeds.getFirst(),
                certificates == null ? ClientSystem.config() : ClientSystem.config(ClientSystem.HERE, certificates),
                jvmOptions,
                List.of());
        try {
            for (int n = 1; n <= nodes; n++) {
                Map<String, Object> own = new LinkedHashMap<>(settings);
                own.put("troupe.node.host", "127.0.0." + n);
                own.put("troupe.node.port", port);
                own.put("troupe.node.name", "node-" + n);
                own.put("troupe.cluster.seed-nodes", seeds);
                own.put("troupe.cluster.nodes", nodes);
                if (settings.get(CORES) instanceof List<?> cores && settings.get(THREADS) instanceof Integer threads) {
                    own.put(CORES, dealt(cores, (n - 1) * threads));
                }
                own.put("troupe.wire.lane-port", port + 1);
                if (certificates != null) {
                    own.put("troupe.wire.tls.enabled", true);
                    own.put(
                            "troupe.wire.tls.directory",
                            certificates.toAbsolutePath().toString());
                }
                Path file = cluster.logs.resolve("node-" + n + ".conf");
                Files.writeString(file, ConfigFactory.parseMap(own).root().render(ConfigRenderOptions.concise()));
                cluster.start("node-" + n, file);
            }
            return cluster;
        } catch (IOException | RuntimeException e) {
            cluster.close();
            throw e;
        }
    }

    /** Every node begins with the cores after those of the node before, so that a rank on each has cores of its own. */
    private static List<?> dealt(List<?> cores, int taken) {
        List<?> turned = new ArrayList<>(cores);
        Collections.rotate(turned, -taken);
        return turned;
    }

    /** The usual port for Artery where it and the next one are free for all nodes, else another: clusters may run side by side. */
    private static int freePorts(int nodes) throws IOException {
        int port = FIRST_PORT;
        for (int attempt = 0; attempt < PORTS; attempt++) {
            if (isFree(nodes, port) && isFree(nodes, port + 1)) {
                return port;
            }
            port = FIRST_PORT + 2 * ThreadLocalRandom.current().nextInt(PORTS);
        }
        throw new IOException("no two ports from %d to %d are free on 127.0.0.1 to 127.0.0.%d"
                .formatted(FIRST_PORT, FIRST_PORT + 2 * PORTS, nodes));
    }

    private static boolean isFree(int nodes, int port) {
        for (int n = 1; n <= nodes; n++) {
            try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.ofLiteral("127.0.0." + n))) {
                socket.getLocalPort();
            } catch (IOException e) {
                return false;
            }
        }
        return true;
    }

    private void start(String name, Path config) {
        configurations.add(config);
        processes.add(process(name, logs.resolve(name + ".log"), config));
    }

    private NodeProcess process(String name, Path log, Path config) {
        List<String> arguments = new ArrayList<>(List.of("--config", config.toString()));
        arguments.addAll(options);
        return NodeProcess.start(name, log, jvmOptions, arguments);
    }

    /**
     * Starts a node that has ended again, as a supervisor would.
     *
     * @param index in {@link #processes()}
     * @throws IllegalStateException if it has not ended
     */
    public void restart(int index) {
        NodeProcess ended = processes.get(index);
        if (ended.isAlive()) {
            throw new IllegalStateException("%s, process %d, has not ended".formatted(ended.name(), ended.pid()));
        }
        ended.close();
        restarts++;
        Path log = logs.resolve("%s-%d.log".formatted(ended.name(), restarts));
        processes.set(index, process(ended.name(), log, configurations.get(index)));
    }

    /** The processes, in the order of their start. */
    public List<NodeProcess> processes() {
        return List.copyOf(processes);
    }

    /** Artery's address of the first node. */
    public String address() {
        return address;
    }

    /** Talks to the first node; closing the result does not end the nodes. */
    public Troupe connect() {
        return Troupe.connect(address, client);
    }

    /** Talks to the first node when it is ready; closing the result ends the nodes too. */
    public Troupe troupe() throws IOException {
        Troupe troupe = connect();
        try {
            awaitReady(troupe);
            return troupe.alsoClosing(this::close);
        } catch (IOException | RuntimeException e) {
            troupe.close();
            close();
            throw e;
        }
    }

    /**
     * Waits until all nodes are there and a replica is placed and loaded.
     *
     * @throws IOException if a node ends before that, with what it printed last
     */
    public Troupe.Description awaitReady(Troupe troupe) throws IOException {
        long end = System.nanoTime() + READY_WITHIN.toNanos();
        while (System.nanoTime() < end) {
            for (NodeProcess process : processes) {
                if (!process.isAlive()) {
                    throw new IOException("node %s has ended before the cluster was complete; it printed:%n%s"
                            .formatted(process.name(), process.logTail()));
                }
            }
            try {
                CompletableFuture<Troupe.Description> answer =
                        troupe.describe(ANSWER_WITHIN).toCompletableFuture();
                Troupe.Description description = answer.get();
                if (description.ready() && description.nodes().size() >= processes.size()) {
                    return description;
                }
                Thread.sleep(100);
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof TimeoutException)) {
                    throw new IOException("asking the first node failed: " + e.getCause(), e);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while the cluster started", e);
            }
        }
        throw new IOException("the cluster was not ready after %d minutes; the first node printed:%n%s"
                .formatted(READY_WITHIN.toMinutes(), processes.getFirst().logTail()));
    }

    @Override
    public void close() {
        processes.forEach(NodeProcess::leave); // all at once: none need take over what another one does
        processes.forEach(NodeProcess::close);
        try (Stream<Path> files = Files.list(logs)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(logs);
        } catch (IOException e) {
            // Only a temporary folder stays behind.
            return;
        }
    }
}
