package dev.troupe.kernel;

import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kernel.vector.WorkerPool;
import dev.troupe.kernel.vector.lanes.VectorWidth;
import dev.troupe.tensor.DeviceMemory;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The choice of the kernels that run on this machine's cores, and why nothing better. */
public final class CpuProvider implements KernelProvider {
    private final boolean vector;
    private final boolean natives;
    private final int threads;
    private final String reason;
    private final List<Integer> cores;
    private final AtomicInteger made = new AtomicInteger();

    private CpuProvider(boolean vector, boolean natives, int threads, String reason) {
        this(vector, natives, threads, reason, List.of());
    }

    private CpuProvider(boolean vector, boolean natives, int threads, String reason, List<Integer> cores) {
        this.vector = vector;
        this.natives = natives;
        this.threads = threads;
        this.reason = reason;
        this.cores = List.copyOf(cores);
    }

    /**
     * The same whose threads stay on these cores: every shard takes the next ones, round and round.
     *
     * @param cores as the operating system counts them, from 0; empty to leave the choice to it
     */
    public CpuProvider on(List<Integer> cores) {
        return cores.isEmpty()
                ? this
                : new CpuProvider(vector, natives, threads, "%s, on cores %s".formatted(reason, cores), cores);
    }

    /**
     * The same, where a GPU was looked for as well.
     *
     * @param refusal why none is used, as the end of a sentence
     */
    CpuProvider withoutGpu(String refusal) {
        return new CpuProvider(vector, natives, threads, "%s; no GPU: %s".formatted(reason, refusal), cores);
    }

    /**
     * Decides.
     *
     * @param threads of one shard, its own included; more than there are cores are not used
     * @throws IllegalArgumentException if there is not even one thread, or for a forced vector width that does not exist
     * @throws IllegalStateException if native products or the Vector API were asked for and cannot run here
     */
    public static CpuProvider choose(Choice choice, int threads) {
        boolean module = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
        int preferred = module ? VectorKernels.preferredBits() : 0;
        boolean compiled = !System.getProperty("java.vm.info", "").contains("interpreted mode");
        boolean natives = choice == Choice.AUTO || choice == Choice.NATIVE;
        String refusal = natives && module && compiled ? TrustedNatives.refusal() : "they were not asked for";
        return choose(choice, threads, new Machine(module, preferred, compiled, ByteOrder.nativeOrder(), refusal));
    }

    /**
     * What decides about the Vector API and native products.
     *
     * @param nativeRefusal why native products cannot run, as the end of a sentence, or null
     */
    record Machine(
            boolean module,
            int preferredBits,
            boolean compiled,
            ByteOrder order,
            @Nullable String nativeRefusal) {}

    static CpuProvider choose(Choice choice, int threads, Machine machine) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads = %d, expected at least 1".formatted(threads));
        }
        if (choice == Choice.REFERENCE) {
            return new CpuProvider(false, false, 1, "plain loops on 1 thread, as configured");
        }
        String refusal = refusal(machine);
        if (refusal != null) {
            if (choice != Choice.AUTO) {
                throw new IllegalStateException("kernels = %s cannot run here: %s; kernels = auto or reference works"
                        .formatted(choice.label(), refusal));
            }
            return new CpuProvider(false, false, 1, "plain loops on 1 thread, because " + refusal);
        }
        String nativeRefusal = machine.nativeRefusal();
        if (choice == Choice.NATIVE && nativeRefusal != null) {
            throw new IllegalStateException(
                    "kernels = native cannot run here: %s; kernels = auto, vector or reference works"
                            .formatted(nativeRefusal));
        }
        boolean natives = choice != Choice.VECTOR && nativeRefusal == null;
        int used = Math.min(threads, Runtime.getRuntime().availableProcessors());
        String reason = vectorReason(natives, threads, used, machine.preferredBits());
        boolean missed = choice == Choice.AUTO && !natives;
        return new CpuProvider(
                true, natives, used, missed ? reason + "; no native products: " + nativeRefusal : reason);
    }

    private static @Nullable String refusal(Machine machine) {
        if (!machine.module()) {
            return "the JVM was started without --add-modules jdk.incubator.vector";
        }
        if (machine.order() != ByteOrder.LITTLE_ENDIAN) {
            return "this machine is big-endian and weights are stored little-endian";
        }
        if (!machine.compiled()) {
            return "the JVM only interprets, which makes vectors slower than plain loops";
        }
        if (machine.preferredBits() < 128) {
            return "this machine's vectors have %d bits and the kernels need 128".formatted(machine.preferredBits());
        }
        return null;
    }

    private static String vectorReason(boolean natives, int threads, int used, int preferred) {
        int forced = VectorWidth.forced();
        int bits = forced == 0 ? Math.min(512, preferred) : forced;
        StringBuilder reason = new StringBuilder("Vector API with %d bits%s on %d %s"
                .formatted(bits, natives ? " and native products" : "", used, used == 1 ? "thread" : "threads"));
        if (forced != 0) {
            reason.append(", as %s says".formatted(VectorWidth.PROPERTY));
        }
        if (bits > preferred) {
            reason.append(" (slow: this machine has %d)".formatted(preferred));
        }
        if (used < threads) {
            reason.append(", not %d, because there are no more cores".formatted(threads));
        }
        return reason.toString();
    }

    @Override
    public String device() {
        return "cpu0";
    }

    @Override
    public String reason() {
        return reason;
    }

    @Override
    public int threads() {
        return threads;
    }

    @Override
    public int vectorBits() {
        return vector ? VectorKernels.vectorBits() : 0;
    }

    @Override
    public DeviceMemory memory() {
        return DeviceMemory.host();
    }

    @Override
    public Kernels create() {
        return vector ? new VectorKernels(new WorkerPool(threads, nextCores()), natives) : new ReferenceKernels();
    }

    /** Holds nothing: threads belong to the kernels. */
    @Override
    public void close() {}

    private List<Integer> nextCores() {
        if (cores.isEmpty()) {
            return cores;
        }
        int first = made.getAndIncrement() * threads;
        return IntStream.range(first, first + threads)
                .mapToObj(i -> cores.get(Math.floorMod(i, cores.size())))
                .toList();
    }
}
