package dev.troupe.kernel;

import dev.troupe.kernel.cuda.CudaDetection;
import dev.troupe.kernel.cuda.CudaProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The devices that a process computes on, one or several: what was asked for, or what is there and has passed its check. */
public final class Devices implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Devices.class);

    private final List<KernelProvider> all;

    private Devices(List<KernelProvider> all) {
        this.all = List.copyOf(all);
    }

    /** This one alone; closed with these. */
    public static Devices of(KernelProvider only) {
        return new Devices(List.of(only));
    }

    /**
     * Finds the devices and starts to use them.
     *
     * @param wanted {@code auto} alone, which takes all GPUs that will do or else the CPU; or devices, each once
     * @param cpu gives the kernels of the CPU, if they are needed
     * @param most devices that are of use
     * @param numerics of GPUs; that of the CPU is exact, which is fast too
     * @param graphs whether GPUs replay work that comes again
     * @throws IllegalArgumentException if {@code wanted} is empty or names a device twice
     * @throws IllegalStateException if a device that was asked for will not do, with the reason and what works
     */
    public static Devices open(
            List<DeviceChoice> wanted, Supplier<CpuProvider> cpu, int most, Numerics numerics, boolean graphs) {
        return open(wanted, cpu, most, CudaDetection::detect, found -> CudaProvider.open(found, numerics, graphs));
    }

    /** The same with another way to find GPUs, and to start to use one, which fails with the end of a sentence. */
    static Devices open(
            List<DeviceChoice> wanted,
            Supplier<CpuProvider> cpu,
            int most,
            Supplier<CudaDetection> detection,
            Function<CudaDetection.Found, KernelProvider> opening) {
        if (wanted.equals(List.of(new DeviceChoice.Auto()))) {
            return automatic(cpu, most, detection.get(), opening);
        }
        if (wanted.isEmpty()
                || wanted.contains(new DeviceChoice.Auto())
                || wanted.stream().distinct().count() < wanted.size()) {
            throw new IllegalArgumentException(
                    "device = %s does not work; auto alone does, or different ones of cpu, cuda:0, cuda:1 and so on"
                            .formatted(text(wanted)));
        }
        List<KernelProvider> opened = new ArrayList<>();
        try {
            for (DeviceChoice choice : wanted.subList(0, Math.min(most, wanted.size()))) {
                opened.add(choice instanceof DeviceChoice.Cuda cuda ? gpu(cuda, detection.get(), opening) : cpu.get());
            }
            return new Devices(opened);
        } catch (RuntimeException e) {
            opened.forEach(KernelProvider::close);
            throw e;
        }
    }

    private static Devices automatic(
            Supplier<CpuProvider> cpu,
            int most,
            CudaDetection detected,
            Function<CudaDetection.Found, KernelProvider> opening) {
        return switch (detected) {
            case CudaDetection.No no -> {
                if (!no.driver()) { // as on most machines
                    yield of(cpu.get());
                }
                LOG.warn("no GPU is used: {}", no.reason());
                yield of(cpu.get().withoutGpu(no.reason()));
            }
            case CudaDetection.Ok ok -> {
                List<KernelProvider> opened = new ArrayList<>();
                String refusal = null;
                for (CudaDetection.Found found : ok.devices()) {
                    try {
                        if (opened.size() < most) {
                            opened.add(opening.apply(found));
                        }
                    } catch (IllegalStateException e) {
                        LOG.warn("a GPU is not used: {}", e.getMessage());
                        refusal = refusal == null ? e.getMessage() : refusal;
                    }
                }
                yield opened.isEmpty() ? of(cpu.get().withoutGpu(String.valueOf(refusal))) : new Devices(opened);
            }
        };
    }

    /**
     * The GPU that was asked for.
     *
     * @throws IllegalStateException if it will not do, with the reason and what works
     */
    public static CudaDetection.Found find(DeviceChoice.Cuda wanted, CudaDetection detected) {
        return switch (detected) {
            case CudaDetection.No no -> throw refused(wanted, no.reason(), "");
            case CudaDetection.Ok ok ->
                ok.devices().stream()
                        .filter(device -> device.ordinal() == wanted.ordinal())
                        .findFirst()
                        .orElseThrow(() -> refused(wanted, missing(wanted, ok), others(ok)));
        };
    }

    private static KernelProvider gpu(
            DeviceChoice.Cuda wanted, CudaDetection detected, Function<CudaDetection.Found, KernelProvider> opening) {
        CudaDetection.Found found = find(wanted, detected);
        try {
            return opening.apply(found);
        } catch (IllegalStateException e) {
            throw refused(wanted, String.valueOf(e.getMessage()), "");
        }
    }

    private static String missing(DeviceChoice.Cuda wanted, CudaDetection.Ok ok) {
        return ok.refused().stream()
                .filter(refused -> refused.ordinal() == wanted.ordinal())
                .map(CudaDetection.Refused::reason)
                .findFirst()
                .orElse("the NVIDIA driver finds no such device");
    }

    private static String others(CudaDetection.Ok ok) {
        return ok.devices().stream()
                .map(device -> "cuda:%d, ".formatted(device.ordinal()))
                .collect(Collectors.joining());
    }

    private static IllegalStateException refused(DeviceChoice wanted, String reason, String others) {
        return new IllegalStateException(
                "device = %s cannot be used: %s; device = %scpu or auto works".formatted(wanted, reason, others));
    }

    private static String text(List<DeviceChoice> choices) {
        return choices.stream().map(DeviceChoice::toString).collect(Collectors.joining(","));
    }

    /** All of them, at least one. */
    public List<KernelProvider> all() {
        return all;
    }

    /**
     * One of them.
     *
     * @param device its place in slots
     * @throws IllegalArgumentException if there is no such one
     */
    public KernelProvider get(String device) {
        return all.stream()
                .filter(provider -> provider.device().equals(device))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("this process computes on %s, not on %s"
                        .formatted(all.stream().map(KernelProvider::device).toList(), device)));
    }

    /** One sentence for people about each, in order. */
    public List<String> reasons() {
        return all.stream()
                .map(provider -> "%s: %s".formatted(provider.device(), provider.reason()))
                .toList();
    }

    /** Why one of them is of no use to this process any more, or null while all work. May take a while. */
    public @Nullable String failure() {
        return all.stream()
                .map(KernelProvider::failure)
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
    }

    @Override
    public void close() {
        all.forEach(KernelProvider::close);
    }
}
