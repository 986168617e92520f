package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.kernel.CpuProvider;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.cuda.CudaDetection;
import dev.troupe.kernel.cuda.CudaProvider;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe devices}: what ranks can run on here. */
@Command(
        name = "devices",
        description = {
            "Lists the devices of this machine that ranks can run on, as --device takes them, and those that are refused with the"
                    + " reason. A GPU is listed when a few small computations on it have given the bits of the plain loops."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {"  troupe devices", "  troupe devices --json"})
final class DevicesCommand implements Callable<Integer> {
    @Option(names = "--json", description = "print JSON")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    /**
     * A GPU.
     *
     * @param free bytes of its memory that nobody uses
     * @param refusal why it is not used, or null
     */
    private record Gpu(
            CudaDetection.Found found, long free, @Nullable String refusal) {
        static Gpu of(CudaDetection.Found found) {
            try (CudaProvider provider = CudaProvider.open(found, Numerics.EXACT, true)) {
                return new Gpu(found, provider.freeBytes().orElse(0), null);
            } catch (IllegalStateException e) {
                return new Gpu(found, 0, String.valueOf(e.getMessage()));
            }
        }
    }

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        int cores = Runtime.getRuntime().availableProcessors();
        try (KernelProvider cpu = CpuProvider.choose(KernelProvider.Choice.AUTO, cores)) {
            CudaDetection detected = CudaDetection.detect();
            List<Gpu> gpus = detected instanceof CudaDetection.Ok ok
                    ? ok.devices().stream().map(Gpu::of).toList()
                    : List.of();
            if (json) {
                out.println(new ObjectMapper()
                        .writerWithDefaultPrettyPrinter()
                        .writeValueAsString(toJson(cores, cpu, detected, gpus)));
            } else {
                lines(cores, cpu, detected, gpus).forEach(out::println);
            }
        }
        out.flush();
        return 0;
    }

    private static List<String> lines(int cores, KernelProvider cpu, CudaDetection detected, List<Gpu> gpus) {
        List<String> lines = new ArrayList<>();
        lines.add("%-8s %d %s, %s".formatted("cpu", cores, cores == 1 ? "core" : "cores", cpu.reason()));
        switch (detected) {
            case CudaDetection.No no -> lines.add("no GPU: " + no.reason());
            case CudaDetection.Ok ok -> {
                gpus.forEach(
                        gpu -> lines.add("%-8s %s".formatted(name(gpu.found().ordinal()), text(ok, gpu))));
                ok.refused()
                        .forEach(refused ->
                                lines.add("%-8s refused: %s".formatted(name(refused.ordinal()), refused.reason())));
            }
        }
        return lines;
    }

    private static String text(CudaDetection.Ok ok, Gpu gpu) {
        CudaDetection.Found found = gpu.found();
        String what = "%s, compute capability %d.%d, driver for CUDA %s"
                .formatted(found.name(), found.major(), found.minor(), ok.cuda());
        if (gpu.refusal() != null) {
            return "refused: %s; %s".formatted(gpu.refusal(), what);
        }
        String peers = found.peers().isEmpty()
                ? ""
                : ", reaches the memory of "
                        + found.peers().stream().map(DevicesCommand::name).collect(Collectors.joining(", "));
        return "%s, %s of %s free%s".formatted(what, gigabytes(gpu.free()), gigabytes(found.bytes()), peers);
    }

    private static String name(int ordinal) {
        return "cuda:" + ordinal;
    }

    private static String gigabytes(long bytes) {
        return "%.1f GiB".formatted(bytes / (double) (1L << 30));
    }

    private static ObjectNode toJson(int cores, KernelProvider cpu, CudaDetection detected, List<Gpu> gpus) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.putObject("cpu")
                .put("device", "cpu")
                .put("cores", cores)
                .put("vector_bits", cpu.vectorBits())
                .put("kernels", cpu.reason());
        ArrayNode list = root.putArray("gpus");
        switch (detected) {
            case CudaDetection.No no -> root.put("no_gpu", no.reason());
            case CudaDetection.Ok ok -> {
                root.put("cuda", ok.cuda());
                gpus.forEach(gpu -> put(list.addObject(), gpu));
                ok.refused()
                        .forEach(refused -> list.addObject()
                                .put("device", name(refused.ordinal()))
                                .put("name", refused.name())
                                .put("refused", refused.reason()));
            }
        }
        return root;
    }

    private static void put(ObjectNode node, Gpu gpu) {
        CudaDetection.Found found = gpu.found();
        node.put("device", name(found.ordinal()))
                .put("name", found.name())
                .put("compute_capability", "%d.%d".formatted(found.major(), found.minor()))
                .put("memory_bytes", found.bytes());
        if (gpu.refusal() != null) {
            node.put("refused", gpu.refusal());
            return;
        }
        node.put("free_bytes", gpu.free());
        ArrayNode peers = node.putArray("peers");
        found.peers().forEach(peer -> peers.add(name(peer)));
    }
}
