package dev.troupe.cli;

import dev.troupe.cluster.watch.IslandWatch;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.TroupeNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.apache.pekko.actor.CoordinatedShutdown;
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

    @Option(names = "--config", required = true, paramLabel = "FILE", description = "HOCON file")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path config;

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
        NodeConfig read = NodeConfig.load(config);
        try (ProgressLine progress = ProgressLine.onStandardError()) {
            TroupeNode node = TroupeNode.start(read, (done, total) -> progress.bytes("reading weights", done, total));
            if (exitWithParent) {
                leaveWithParent(node);
            }
            out.printf("node %s, roles %s%n", node.incarnation(), String.join(", ", node.roles()));
            out.printf("device cpu0: %s%n", node.device());
            out.flush();
            node.whenComplete().thenAccept(snapshot -> {
                out.printf("cluster complete: %d nodes%n", snapshot.nodes().size());
                out.flush();
            });
            node.onSurvival(survival -> {
                survival.sentences().forEach(out::println);
                out.flush();
            });
            node.system().getWhenTerminated().toCompletableFuture().get();
            requireAsked(
                    node.incarnation(), CoordinatedShutdown.get(node.system()).getShutdownReason());
        }
        return 0;
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
                node.system()
                        .getWhenTerminated()
                        .toCompletableFuture()
                        .get(LEAVE_WITHIN.toSeconds(), java.util.concurrent.TimeUnit.SECONDS);
            } catch (InterruptedException
                    | java.util.concurrent.ExecutionException
                    | java.util.concurrent.TimeoutException e) {
                Runtime.getRuntime().halt(1);
            }
        });
    }
}
