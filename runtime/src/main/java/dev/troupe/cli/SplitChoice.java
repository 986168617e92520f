package dev.troupe.cli;

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
            paramLabel = "HOST:PORT",
            description = "run on the cluster that this node belongs to; its configuration says how the model is split")
    private @Nullable String connect;

    int pipelineParallel() {
        return pipelineParallel;
    }

    int tensorParallel() {
        return tensorParallel;
    }

    int nodes() {
        return nodes;
    }

    @Nullable
    String connect() {
        return connect;
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
        if (connect != null && (nodes > 0 || pipelineParallel != 1 || tensorParallel != 1)) {
            throw new CommandFailure(
                    "--connect goes without --nodes, --pipeline-parallel and --tensor-parallel: the cluster's configuration says how the model is split");
        }
    }

    private static final int LOOPBACK_NODES = 8;
}
