package dev.troupe.cli;

import dev.troupe.kvstore.KvType;
import java.util.List;
import picocli.CommandLine.Option;

/** The options that say how ranks compute. */
final class EngineChoice {
    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "1",
            description = "CPU threads of every rank (default: 1); the result does not depend on it")
    private int threads;

    @Option(
            names = "--cores",
            paramLabel = "N",
            split = ",",
            description =
                    "keep the threads on these cores, for example 0,1 (Linux); default: where the system puts them")
    private List<Integer> cores = List.of();

    @Option(
            names = "--kernels",
            paramLabel = "KIND",
            defaultValue = "auto",
            description = "auto, native, vector or reference (default: auto); the result does not depend on it")
    private String kernels = "auto";

    @Option(
            names = "--prefill-chunk",
            paramLabel = "N",
            defaultValue = "128",
            description = "prompt tokens of one step (default: 128); the result does not depend on it")
    private int prefillChunk;

    @Option(
            names = "--kv-cache",
            paramLabel = "TYPE",
            defaultValue = "f16",
            description = "how keys and values are kept: ${COMPLETION-CANDIDATES} (default: f16)")
    private KvType kvCache = KvType.F16;

    int threads() {
        return threads;
    }

    List<Integer> cores() {
        return cores;
    }

    String kernels() {
        return kernels;
    }

    int prefillChunk() {
        return prefillChunk;
    }

    KvType kvCache() {
        return kvCache;
    }
}
