package dev.troupe.cli;

import dev.troupe.kernel.Numerics;
import dev.troupe.kvstore.KvType;
import java.util.List;
import picocli.CommandLine.Option;

/** The options that say how ranks compute. */
final class EngineChoice {
    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "auto",
            description =
                    "auto, cpu, cuda:0 (a GPU), or several for ranks in turn, for example cuda:0,cuda:1 (default: auto, all"
                            + " GPUs that will do or else the CPU); the result does not depend on it, unless numerics are fast")
    private String device = "auto";

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "1",
            description = "threads of every rank on the CPU (default: 1); the result does not depend on it")
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
            description =
                    "of the CPU: auto, native, vector or reference (default: auto); the result does not depend on it")
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

    @Option(
            names = "--numerics",
            paramLabel = "MODE",
            defaultValue = "exact",
            description =
                    "exact: the same bits everywhere; fast: a GPU multiplies bf16 and f16 weights on its tensor cores (default: exact)")
    private Numerics numerics = Numerics.EXACT;

    String device() {
        return device;
    }

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

    Numerics numerics() {
        return numerics;
    }
}
