package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.kernel.CpuProvider;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.check.DeviceSelfTest;
import dev.troupe.kernel.check.Finding;
import dev.troupe.kernel.check.SelfTest;
import dev.troupe.kernel.cuda.driver.CudaException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe selftest}: whether the kernels of a device give the bits of the plain loops. */
@Command(
        name = "selftest",
        description = {
            "Compares every operation on a device with plain loops on this machine, by raw bits, and says for each that all bits are"
                    + " equal, or shows the first value that differs.",
            "Of a GPU it also replays a graph, and uses another GPU at the same time if there is one. Of the CPU it tries the native"
                    + " products, where they run, and the Vector API."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe selftest --device cuda:0",
            "  troupe selftest --device cpu --threads 2 --quick",
            "  troupe selftest --device cuda:0 --only attention --json",
            "",
            "Exit codes: 0 all bits are equal, 1 some are not or the device cannot be used."
        })
final class SelfTestCommand implements Callable<Integer> {
    @Mixin
    private final GpuChoice device = new GpuChoice();

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "2",
            description = "CPU threads, where the CPU is tested (default: 2)")
    private int threads;

    @Option(names = "--quick", description = "small shapes only")
    private boolean quick;

    @Option(
            names = "--only",
            paramLabel = "NAME",
            defaultValue = "",
            description = "only operations whose names begin so, for example 'matmul q4'")
    private String only = "";

    @Option(names = "--json", description = "print JSON")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    /** What was tested, and what was found. */
    private record Section(String device, List<Finding> findings) {}

    @Override
    public Integer call() {
        SelfTest.Plan plan = new SelfTest.Plan(quick ? SelfTest.Extent.QUICK : SelfTest.Extent.FULL, only);
        List<Section> sections =
                device.gpu().map(gpu -> List.of(ofGpu(gpu, plan))).orElseGet(() -> ofProcessor(plan));
        if (sections.stream().allMatch(section -> section.findings().isEmpty())) {
            throw new CommandFailure("--only %s; no operation begins so".formatted(only));
        }
        boolean passed = sections.stream()
                .flatMap(section -> section.findings().stream())
                .allMatch(Finding::ok);
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? toJson(sections, passed) : summary(sections, passed));
        out.flush();
        return passed ? 0 : 1;
    }

    private Section ofGpu(GpuChoice.Gpu gpu, SelfTest.Plan plan) {
        String name =
                "cuda:%d (%s)".formatted(gpu.found().ordinal(), gpu.found().name());
        @Nullable
        Integer other = gpu.others().isEmpty() ? null : gpu.others().getFirst().ordinal();
        try {
            return new Section(name, DeviceSelfTest.run(gpu.found().ordinal(), other, plan, beginning(name)));
        } catch (CudaException | OutOfMemoryError e) {
            throw GpuChoice.failure(gpu, e);
        }
    }

    private List<Section> ofProcessor(SelfTest.Plan plan) {
        List<Section> sections = new ArrayList<>();
        List<String> tried = new ArrayList<>();
        for (KernelProvider.Choice choice : List.of(KernelProvider.Choice.AUTO, KernelProvider.Choice.VECTOR)) {
            try (KernelProvider provider = CpuProvider.choose(choice, threads)) {
                if (!tried.contains(provider.reason())) {
                    tried.add(provider.reason());
                    try (Kernels kernels = provider.create()) {
                        sections.add(new Section(
                                provider.reason(), SelfTest.run(kernels, plan, beginning(provider.reason()))));
                    }
                }
            }
        }
        return sections;
    }

    /** Prints the name of what is tested, and gives what prints its findings. */
    private Consumer<Finding> beginning(String name) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            return _ -> {};
        }
        out.println(name);
        return finding -> {
            out.printf(
                    "  %-24s %-5s %4d cases%s%n",
                    finding.operation(),
                    finding.ok() ? "ok" : "WRONG",
                    finding.cases(),
                    finding.ok() ? "" : "; " + finding.difference());
            out.flush();
        };
    }

    private static String summary(List<Section> sections, boolean passed) {
        List<Finding> all = sections.stream()
                .flatMap(section -> section.findings().stream())
                .toList();
        long cases = all.stream().mapToLong(Finding::cases).sum();
        boolean fast = all.stream().anyMatch(finding -> finding.operation().equals(DeviceSelfTest.FAST));
        return passed
                ? "PASSED: %d operations, %d cases, all bits equal those of plain loops%s"
                        .formatted(all.size(), cases, fast ? ", those of fast products within their bound" : "")
                : "FAILED: %d of %d operations differ from plain loops or ended by an error"
                        .formatted(all.stream().filter(finding -> !finding.ok()).count(), all.size());
    }

    private static String toJson(List<Section> sections, boolean passed) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        root.put("passed", passed);
        ArrayNode devices = root.putArray("devices");
        for (Section section : sections) {
            ObjectNode entry = devices.addObject();
            entry.put("device", section.device());
            ArrayNode operations = entry.putArray("operations");
            for (Finding finding : section.findings()) {
                ObjectNode operation = operations.addObject();
                operation.put("operation", finding.operation());
                operation.put("ok", finding.ok());
                operation.put("cases", finding.cases());
                if (!finding.ok()) {
                    operation.put("difference", finding.difference());
                }
            }
        }
        return root.toString();
    }
}
