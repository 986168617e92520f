package dev.troupe.cli;

import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.Devices;
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
        CudaDetection detected = CudaDetection.detect();
        List<CudaDetection.Found> devices = detected instanceof CudaDetection.Ok ok ? ok.devices() : List.of();
        if (choice instanceof DeviceChoice.Cuda cuda) {
            try {
                return Optional.of(chosen(Devices.find(cuda, detected), devices));
            } catch (IllegalStateException e) {
                throw new CommandFailure(String.valueOf(e.getMessage()));
            }
        }
        return devices.stream().findFirst().map(first -> chosen(first, devices));
    }

    /** A driver that refuses in the middle, or memory that is not enough, as one sentence. */
    static CommandFailure failure(Gpu gpu, Throwable error) {
        CommandFailure failure = new CommandFailure(
                "device = cuda:%d cannot be used: %s".formatted(gpu.found().ordinal(), error.getMessage()));
        failure.initCause(error);
        return failure;
    }

    private static Gpu chosen(CudaDetection.Found found, List<CudaDetection.Found> devices) {
        return new Gpu(
                found, devices.stream().filter(device -> !device.equals(found)).toList());
    }
}
