package dev.troupe.cli;

import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.cuda.CudaDetection;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The option that names one device of this machine, to be looked at by itself. */
final class GpuChoice {
    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "auto",
            description =
                    "cuda:0, cuda:1 and so on, cpu, or auto: the first GPU that will do, else the CPU (default: auto)")
    private String device = "auto";

    /**
     * A GPU of this machine, and those beside it.
     *
     * @param found the one that was chosen
     * @param others that will do too
     */
    record Gpu(CudaDetection.Found found, List<CudaDetection.Found> others) {
        Gpu {
            others = List.copyOf(others);
        }
    }

    /**
     * The GPU that was asked for, or none for the CPU.
     *
     * @throws CommandFailure if there is no such GPU, with the reason
     */
    Optional<Gpu> gpu() {
        DeviceChoice choice = DeviceChoice.of(device);
        if (choice instanceof DeviceChoice.Cpu) {
            return Optional.empty();
        }
        return switch (CudaDetection.detect()) {
            case CudaDetection.No _ when choice instanceof DeviceChoice.Auto -> Optional.empty();
            case CudaDetection.No no ->
                throw new CommandFailure("device = %s cannot be used: %s".formatted(choice, no.reason()));
            case CudaDetection.Ok ok -> Optional.of(chosen(choice, ok.devices()));
        };
    }

    /** A driver that refuses in the middle, or memory that is not enough, as one sentence. */
    static CommandFailure failure(Gpu gpu, Throwable error) {
        CommandFailure failure = new CommandFailure(
                "device = cuda:%d cannot be used: %s".formatted(gpu.found().ordinal(), error.getMessage()));
        failure.initCause(error);
        return failure;
    }

    private static Gpu chosen(DeviceChoice choice, List<CudaDetection.Found> devices) {
        int ordinal = choice instanceof DeviceChoice.Cuda cuda
                ? cuda.ordinal()
                : devices.getFirst().ordinal();
        CudaDetection.Found found = devices.stream()
                .filter(device -> device.ordinal() == ordinal)
                .findFirst()
                .orElseThrow(() -> new CommandFailure("device = %s cannot be used: the GPUs that will do are %s"
                        .formatted(
                                choice,
                                devices.stream()
                                        .map(device -> "cuda:%d (%s)".formatted(device.ordinal(), device.name()))
                                        .toList())));
        return new Gpu(
                found, devices.stream().filter(device -> !device.equals(found)).toList());
    }
}
