package dev.troupe.cli;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigUtil;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.kernel.Kernels;
import dev.troupe.node.ClientSystem;
import dev.troupe.node.LocalCluster;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Makes what a command runs on: this process, processes of its own, or a cluster that is there. */
final class Engines {
    private Engines() {}

    /** What the options ask for. */
    static Troupe open(ModelLocation model, SplitChoice split, EngineChoice engine) throws IOException {
        return open(model, split, engine, UnaryOperator.identity());
    }

    /** The same, and where ranks are in this process they take the kernels that {@code observer} gives for theirs. */
    static Troupe open(ModelLocation model, SplitChoice split, EngineChoice engine, UnaryOperator<Kernels> observer)
            throws IOException {
        split.requireSense();
        String connect = split.connect();
        if (connect != null) {
            return connect(connect, split.tlsDirectory(), split.clientHost());
        }
        Map<String, Object> settings = settings(model, split.pipelineParallel(), split.tensorParallel());
        settings.put("troupe.device.kind", engine.device());
        settings.put("troupe.device.threads", engine.threads());
        settings.put("troupe.device.kernels", engine.kernels());
        settings.put("troupe.device.cores", engine.cores());
        settings.put("troupe.kv.type", engine.kvCache().label());
        settings.put("troupe.numerics", engine.numerics().label());
        settings.put("troupe.scheduler.prefill-chunk", engine.prefillChunk());
        settings.put("troupe.scheduler.tokens-per-step", Math.max(256, engine.prefillChunk()));
        try (ProgressLine progress = ProgressLine.onStandardError()) {
            if (split.nodes() > 0) {
                return LocalCluster.start(split.nodes(), settings, split.tlsDirectory())
                        .troupe();
            }
            return LocalTroupe.start(
                    NodeConfig.of(ConfigFactory.parseMap(settings)),
                    (done, total) -> progress.bytes("reading weights", done, total),
                    kernels -> observer.apply(announced(kernels)));
        }
    }

    /** Says on standard error that a GPU computes, which few results show. */
    private static Kernels announced(Kernels kernels) {
        if (!kernels.memory().isHost()) {
            System.err.println("on " + kernels.description());
        }
        return kernels;
    }

    /** A cluster that is there. */
    static Troupe connect(String hostPort, @Nullable Path tls, String clientHost) throws IOException {
        return Troupe.connect(
                hostPort, tls == null ? ClientSystem.config(clientHost) : ClientSystem.config(clientHost, tls));
    }

    private static Map<String, Object> settings(ModelLocation model, int pipelineParallel, int tensorParallel) {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("troupe.models", Map.of(ConfigUtil.quoteString(model.id()), model.text()));
        settings.put("troupe.replica.model", model.id());
        settings.put("troupe.replica.pipeline-parallel", pipelineParallel);
        settings.put("troupe.replica.tensor-parallel", tensorParallel);
        settings.put("troupe.device.threads", 1);
        return settings;
    }
}
