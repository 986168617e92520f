package dev.troupe.cli;

import dev.troupe.cluster.watch.IslandWatch;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.DeviceWatch;
import dev.troupe.node.TroupeNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe node}: one process of a cluster, until it is told to leave. */
@Command(
        name = "node",
        description = {
            "Runs one node of a cluster until it is told to leave (Ctrl-C or SIGTERM).",
            "Prints its address, roles and device, when the cluster is complete, and what it outlives."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe node --config cluster-config/seed-1.conf",
            "",
            "Exit codes: 1 put out of the cluster or never let in (start it again), or it cannot start (one sentence on standard",
            "error says why); 2 wrong usage; 130 or 143 told to leave by Ctrl-C or SIGTERM; 137 killed; 255 as the first, where",
            "troupe.node.exit-jvm is on. A unit for systemd is in docs/operations.md.",
            "",
            "Every key and its default: runtime/src/main/resources/reference.conf"
        })
final class NodeCommand implements Callable<Integer> {
    private static final Duration LEAVE_WITHIN = Duration.ofSeconds(15);

    /** The whole of an orderly end takes a few seconds; its phases may take 10 s each. */
    private static final Duration END_WITHIN = Duration.ofSeconds(45);

    private static final Duration LOOK_EVERY = Duration.ofMillis(200);

    @Option(names = "--config", required = true, paramLabel = "FILE", description = "HOCON file")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path config;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            description = "auto, cpu, cuda:0 or several, for example cuda:0,cuda:1; over what the file says")
    private @Nullable String device;

    @Option(
            names = "--exit-with-parent",
            hidden = true,
            description = "leave when standard input closes: the process that started this one has ended")
    private boolean exitWithParent;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        if (!Files.isRegularFile(config)) {
            throw new CommandFailure("%s does not exist; ready ones lie in cluster-config/".formatted(config));
        }
        PrintWriter out = spec.commandLine().getOut();
        NodeConfig read = NodeConfig.load(config, device == null ? Map.of() : Map.of("troupe.device.kind", device));
        try (ProgressLine progress = ProgressLine.onStandardError()) {
            TroupeNode node = TroupeNode.start(read, (done, total) -> progress.bytes("reading weights", done, total));
            if (exitWithParent) {
                leaveWithParent(node);
            }
            out.printf("node %s, roles %s%n", node.incarnation(), String.join(", ", node.roles()));
            node.devices().forEach(device -> out.printf("device %s%n", device));
            node.url().ifPresent(url -> out.printf("%s%n", url));
            out.flush();
            node.whenComplete().thenAccept(snapshot -> {
                out.printf("cluster complete: %d nodes%n", snapshot.nodes().size());
                out.flush();
            });
            node.onSurvival(survival -> {
                survival.sentences().forEach(out::println);
                out.flush();
            });
            CoordinatedShutdown shutdown = CoordinatedShutdown.get(node.system());
            boolean ended = hasEnded(
                    node.system().getWhenTerminated().toCompletableFuture(),
                    () -> shutdown.getShutdownReason().isPresent(),
                    END_WITHIN);
            if (!ended) {
                halt(node.incarnation(), shutdown.getShutdownReason());
            }
            requireAsked(node.incarnation(), shutdown.getShutdownReason());
        }
        return 0;
    }

    /**
     * Waits for the end of a node. One that has begun to end and does not get there is not waited for: it was seen that an actor
     * system which the cluster had put out did not terminate, and then nothing starts the node again.
     *
     * @param ended done when the node has ended
     * @param begun whether it has begun to end
     * @param within how long that may take
     * @return false if it takes longer
     */
    static boolean hasEnded(Future<?> ended, BooleanSupplier begun, Duration within) throws Exception {
        long deadline = Long.MAX_VALUE;
        while (true) {
            try {
                ended.get(LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS);
                return true;
            } catch (TimeoutException e) {
                long now = System.nanoTime();
                if (deadline == Long.MAX_VALUE && begun.getAsBoolean()) {
                    deadline = now + within.toNanos();
                } else if (deadline != Long.MAX_VALUE && now - deadline > 0) {
                    return false;
                }
            }
        }
    }

    /** Ends the process although the actor system does not end, so that a supervisor can start it again. */
    private void halt(String node, Optional<CoordinatedShutdown.Reason> reason) {
        PrintWriter err = spec.commandLine().getErr();
        try {
            requireAsked(node, reason);
        } catch (IOException e) {
            err.println("troupe: " + e.getMessage());
        }
        err.printf("troupe: node %s has not ended within %d s and is stopped%n", node, END_WITHIN.toSeconds());
        err.flush();
        Runtime.getRuntime().halt(1);
    }

    /** A node that ends because it was told to has done its work; one that the cluster put out has not. */
    static void requireAsked(String node, Optional<CoordinatedShutdown.Reason> reason) throws IOException {
        if (reason.isEmpty()) {
            return;
        }
        if (reason.get() == IslandWatch.Reason.ISLAND) {
            throw new IOException(
                    "node %s was in a cluster of its own beside the one of other seed nodes, which had not answered it in time; start it again, and it joins them"
                            .formatted(node));
        }
        if (reason.get() == DeviceWatch.Reason.DEVICE_FAILED) {
            throw new IOException(
                    "a device of node %s has failed, see its log; start it again: the process that comes may use the device"
                            .formatted(node));
        }
        if (Set.of(CoordinatedShutdown.clusterDowningReason(), CoordinatedShutdown.clusterJoinUnsuccessfulReason())
                .contains(reason.get())) {
            throw new IOException(
                    "node %s was put out of the cluster or never let in (%s): the others could not reach it, or it could not reach most of them; see what they logged, mend the network and start it again"
                            .formatted(
                                    node,
                                    reason.get().getClass().getSimpleName().replace("$", "")));
        }
    }

    private static void leaveWithParent(TroupeNode node) {
        Thread.ofPlatform().daemon().name("parent-watch").start(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Nothing is said on this pipe; only its end counts.
                }
            } catch (IOException e) {
                // A broken pipe is an end too.
            }
            node.close();
            try {
                node.system().getWhenTerminated().toCompletableFuture().get(LEAVE_WITHIN.toSeconds(), TimeUnit.SECONDS);
            } catch (InterruptedException | ExecutionException | TimeoutException e) {
                Runtime.getRuntime().halt(1);
            }
        });
    }
}
