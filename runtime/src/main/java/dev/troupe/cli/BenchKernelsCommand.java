package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.kernel.ArithmeticCeiling;
import dev.troupe.kernel.CpuProvider;
import dev.troupe.kernel.DotCeiling;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MemoryCeiling;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.DeviceCeilings;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.measure.KernelRow;
import dev.troupe.kernel.measure.KernelTable;
import dev.troupe.kernel.measure.WorkClock;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.tensor.DType;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe bench-kernels}: how fast single operations are, beside the ceilings of the device. */
@Command(
        name = "bench-kernels",
        description = {
            "Measures every operation of a model's layer by itself, and in the same run the ceilings of the device: reads of its"
                    + " memory, f32 fused multiply-adds and eight-bit dot products of its ordinary cores.",
            "Weights and caches rotate over more memory than its caches hold. Work of a GPU is replayed as a graph and timed by the"
                    + " GPU's own events. Medians.",
            "The arithmetic of quantised products is compared with the eight-bit ceiling; tensor cores may pass it.",
            "Of bf16 and f16 weights on a GPU the last columns are the time with --numerics fast, and how many times as long exact takes."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe bench-kernels --device cuda:0 --synthetic llama-8b:bf16",
            "  troupe bench-kernels --device cuda:0 --synthetic llama-8b:q4_0 --tokens 1,32 --contexts 2048 --json",
            "  troupe bench-kernels --device cpu --threads 2 --synthetic tiny:q8_0"
        })
final class BenchKernelsCommand implements Callable<Integer> {
    private static final long HOST_BYTES = 1L << 28;
    private static final int CACHES = 4;

    @Mixin
    private final GpuChoice device = new GpuChoice();

    @Option(
            names = "--synthetic",
            required = true,
            paramLabel = "SHAPE:TYPE",
            description =
                    "shapes to measure: tiny, tiny-256, llama-1b, llama-8b; f32, bf16, f16, q8_0, q4_0, q4_k, ...")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String synthetic;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            split = ",",
            defaultValue = "1,8,32,512",
            description =
                    "tokens of a step (default: 1,8,32,512); up to 64 are of as many sequences, more are a prompt")
    private List<Integer> tokens = List.of();

    @Option(
            names = "--contexts",
            paramLabel = "N",
            split = ",",
            defaultValue = "128,2048",
            description = "positions that attention sees (default: 128,2048)")
    private List<Integer> contexts = List.of();

    @Option(
            names = "--kv-cache",
            paramLabel = "TYPE",
            defaultValue = "f16",
            description = "how keys and values are kept: ${COMPLETION-CANDIDATES} (default: f16)")
    private KvType kvCache = KvType.F16;

    @Option(names = "--passes", paramLabel = "N", defaultValue = "9", description = "timed, of every row (default: 9)")
    private int passes;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "1",
            description = "CPU threads, where the CPU is measured (default: 1)")
    private int threads;

    @Option(names = "--json", description = "print JSON")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    /**
     * What the device can do.
     *
     * @param read bytes a second from memory
     * @param flops f32 operations a second
     * @param dots operations of eight-bit dot products a second
     */
    private record Ceilings(double read, double flops, double dots) {
        double arithmetic(KernelRow row) {
            return row.operationsPerSecond() / (row.integers() ? dots : flops);
        }

        double memory(KernelRow row) {
            return row.bytesPerSecond() / read;
        }
    }

    @Override
    public Integer call() throws Exception {
        KernelTable.Shape shape = shape();
        return device.gpu().map(gpu -> ofGpu(gpu, shape)).orElseGet(() -> ofProcessor(shape));
    }

    private KernelTable.Shape shape() throws Exception {
        try (Checkpoint checkpoint = SyntheticModel.named(synthetic)) {
            ModelConfig config = checkpoint.config();
            DType type = Objects.requireNonNull(
                    Objects.requireNonNull(checkpoint.weights().find("model.layers.0.self_attn.q_proj.weight"))
                            .type());
            return new KernelTable.Shape(
                    config.hiddenSize(),
                    config.intermediateSize(),
                    config.heads(),
                    config.kvHeads(),
                    config.headDim(),
                    config.vocabularySize(),
                    type,
                    kvCache);
        }
    }

    private int ofGpu(GpuChoice.Gpu gpu, KernelTable.Shape shape) {
        try (CudaDevice opened = new CudaDevice(gpu.found().ordinal());
                CudaKernels kernels = new CudaKernels(opened);
                CudaKernels fast = new CudaKernels(opened, Numerics.FAST)) {
            DeviceCeilings.Effort usual = DeviceCeilings.Effort.usual();
            long bytes = Math.min(usual.bytes(), gpu.found().bytes() / 8 / 16 * 16);
            DeviceCeilings most =
                    DeviceCeilings.measure(opened, new DeviceCeilings.Effort(bytes, usual.rounds(), usual.passes()));
            Ceilings ceilings = new Ceilings(most.readBytes(), most.flops(), most.dots());
            print(
                    "cuda:%d (%s), copies %.0f GB/s"
                            .formatted(gpu.found().ordinal(), gpu.found().name(), most.copyBytes() / 1e9),
                    ceilings,
                    each -> new KernelTable(
                                    new KernelTable.Timed(kernels, kernels.clock()),
                                    new KernelTable.Timed(fast, fast.clock()),
                                    shape,
                                    new KernelTable.Plan(tokens, contexts, passes, (long) CACHES * opened.cacheBytes()),
                                    each)
                            .measure());
        } catch (CudaException | OutOfMemoryError e) {
            throw GpuChoice.failure(gpu, e);
        }
        return 0;
    }

    private int ofProcessor(KernelTable.Shape shape) {
        double flops = ArithmeticCeiling.flopsPerSecond(threads, passes);
        Ceilings ceilings = new Ceilings(
                MemoryCeiling.bytesPerSecond(threads, 4 * HOST_BYTES, passes),
                flops,
                DotCeiling.operationsPerSecond(threads, passes).orElse(flops));
        try (KernelProvider provider = CpuProvider.choose(KernelProvider.Choice.AUTO, threads);
                Kernels kernels = provider.create()) {
            print(
                    provider.reason(),
                    ceilings,
                    each -> new KernelTable(
                                    new KernelTable.Timed(kernels, WorkClock.ofHost()),
                                    null,
                                    shape,
                                    new KernelTable.Plan(tokens, contexts, passes, HOST_BYTES),
                                    each)
                            .measure());
        }
        return 0;
    }

    private void print(String name, Ceilings ceilings, Consumer<Consumer<KernelRow>> table) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            List<KernelRow> rows = new ArrayList<>();
            table.accept(rows::add);
            out.println(toJson(name, ceilings, rows));
            out.flush();
            return;
        }
        out.printf(
                Locale.ROOT,
                "%s%n%s; ceilings: reads %.1f GB/s, f32 %.1f GFLOP/s, eight bits %.1f GOP/s%n",
                name,
                synthetic,
                ceilings.read() / 1e9,
                ceilings.flops() / 1e9,
                ceilings.dots() / 1e9);
        out.printf(
                "%-28s %6s %7s %11s %9s %8s %10s %10s %11s %10s%n",
                "kernel",
                "tokens",
                "context",
                "us",
                "GB/s",
                "of reads",
                "GFLOP/s",
                "of ceiling",
                "fast us",
                "exact/fast");
        table.accept(row -> {
            out.printf(
                    Locale.ROOT,
                    "%-28s %6d %7s %11.1f %9.1f %8.2f %10s %10s %11s %10s%n",
                    row.kernel(),
                    row.tokens(),
                    row.context() == 0 ? "" : row.context(),
                    row.seconds() * 1e6,
                    row.bytesPerSecond() / 1e9,
                    ceilings.memory(row),
                    row.operations() == 0 ? "" : "%.1f".formatted(row.operationsPerSecond() / 1e9),
                    row.operations() == 0 ? "" : "%.2f".formatted(ceilings.arithmetic(row)),
                    row.fastSeconds() == 0 ? "" : "%.1f".formatted(row.fastSeconds() * 1e6),
                    row.fastSeconds() == 0 ? "" : "%.2f".formatted(row.seconds() / row.fastSeconds()));
            out.flush();
        });
    }

    private String toJson(String name, Ceilings ceilings, List<KernelRow> rows) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("device", name);
        root.put("shape", synthetic);
        root.put("read_ceiling_bytes_per_second", ceilings.read());
        root.put("f32_ceiling_flops_per_second", ceilings.flops());
        root.put("int8_ceiling_ops_per_second", ceilings.dots());
        ArrayNode list = root.putArray("kernels");
        for (KernelRow row : rows) {
            ObjectNode entry = list.addObject();
            entry.put("kernel", row.kernel());
            entry.put("tokens", row.tokens());
            entry.put("context", row.context());
            entry.put("seconds", row.seconds());
            entry.put("bytes_per_second", row.bytesPerSecond());
            entry.put("read_fraction", ceilings.memory(row));
            entry.put("operations_per_second", row.operationsPerSecond());
            entry.put("arithmetic_fraction", ceilings.arithmetic(row));
            if (row.fastSeconds() > 0) {
                entry.put("fast_seconds", row.fastSeconds());
                entry.put("exact_over_fast", row.seconds() / row.fastSeconds());
            }
        }
        return root.toString();
    }
}
