package dev.troupe.cli;

import dev.troupe.node.ClientSystem;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say how a model is split, and where it runs. */
final class SplitChoice {
    @Option(
            names = "--pipeline-parallel",
            paramLabel = "N",
            defaultValue = "1",
            description = "pipeline stages (default: 1)")
    private int pipelineParallel;

    @Option(
            names = "--tensor-parallel",
            paramLabel = "N",
            defaultValue = "1",
            description = "tensor-parallel ranks of every stage (default: 1)")
    private int tensorParallel;

    @Option(
            names = "--nodes",
            paramLabel = "N",
            defaultValue = "0",
            description = "start N node processes on 127.0.0.1 to 127.0.0.N and run there (default: in this process)")
    private int nodes;

    @Option(
            names = "--connect",
            paramLabel = "HOST:PORT[,HOST:PORT]",
            description =
                    "run on the cluster that this node belongs to; its configuration says how the model is split. The other front"
                            + " ends are learnt from it; name more than one where the first may be down at the start")
    private @Nullable String connect;

    @Option(
            names = "--tls-dir",
            paramLabel = "DIR",
            description = "where troupe certs has written ca.pem and the certificates: of a client at --client-host for"
                    + " --connect, of the nodes and a client for --nodes (default: no TLS)")
    private @Nullable Path tlsDirectory;

    @Option(
            names = "--client-host",
            paramLabel = "HOST",
            defaultValue = ClientSystem.HERE,
            description =
                    "with --connect: where nodes reach this program, for their answers (default: 127.0.0.1, which does for"
                            + " nodes on this machine)")
    private String clientHost = ClientSystem.HERE;

    int pipelineParallel() {
        return pipelineParallel;
    }

    int tensorParallel() {
        return tensorParallel;
    }

    int nodes() {
        return nodes;
    }

    /** Whether one rank does everything, in this process. */
    boolean oneRankHere() {
        return nodes == 0 && connect == null && pipelineParallel * tensorParallel == 1;
    }

    @Nullable
    String connect() {
        return connect;
    }

    @Nullable
    Path tlsDirectory() {
        return tlsDirectory;
    }

    String clientHost() {
        return clientHost;
    }

    /**
     * Checks what the options say together.
     *
     * @throws CommandFailure if they contradict each other
     */
    void requireSense() {
        if (nodes < 0 || nodes > LOOPBACK_NODES) {
            throw new CommandFailure(
                    "--nodes %d does not work; expected 0 (this process) to %d".formatted(nodes, LOOPBACK_NODES));
        }
        requireSenseOfRoads();
        if (connect != null && (nodes > 0 || pipelineParallel != 1 || tensorParallel != 1)) {
            throw new CommandFailure(
                    "--connect goes without --nodes, --pipeline-parallel and --tensor-parallel: the cluster's configuration says how the model is split");
        }
    }

    private void requireSenseOfRoads() {
        if (tlsDirectory != null && connect == null && nodes == 0) {
            throw new CommandFailure("--tls-dir goes with --connect or --nodes: in one process nothing travels");
        }
        if (!clientHost.equals(ClientSystem.HERE) && connect == null) {
            throw new CommandFailure("--client-host goes with --connect");
        }
    }

    private static final int LOOPBACK_NODES = 8;
}
