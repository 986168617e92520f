package dev.troupe.kernel.cuda;

import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.DeviceMemory;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A GPU whose kernels have given the bits of the plain loops. All shards on it share its primary context, each with a stream of its
 * own; the context is given back when the provider and the last kernels are closed, in whatever order.
 */
public final class CudaProvider implements KernelProvider {
    private final CudaDevice device;
    private final Numerics numerics;
    private final CudaStream stream;
    private final CudaMemory memory;
    private final boolean graphs;

    /** This, as long as it is open, and the kernels that are. */
    private int holders = 1;

    private boolean closed;

    private CudaProvider(CudaDevice device, Numerics numerics, boolean graphs) {
        this.device = device;
        this.numerics = numerics;
        this.graphs = graphs;
        this.stream = device.stream();
        this.memory = new CudaMemory(stream);
    }

    /**
     * Starts to use a device, and compares what it computes with the plain loops.
     *
     * @param numerics of its kernels; where it is fast, their products are compared with float64
     * @param graphs whether its kernels' repeated work becomes graphs
     * @throws IllegalStateException if it cannot be used or gives other bits; the message is the end of a sentence
     */
    public static CudaProvider open(CudaDetection.Found found, Numerics numerics, boolean graphs) {
        CudaProvider provider;
        try {
            provider = open(new CudaDevice(found.ordinal()), numerics, graphs);
        } catch (CudaException e) {
            throw new IllegalStateException("%s cannot be used: %s".formatted(found, e.getMessage()), e);
        }
        try {
            String refusal = provider.refusal();
            if (refusal == null) {
                return provider;
            }
            provider.close();
            throw new IllegalStateException("the check of %s has found other bits: %s".formatted(found, refusal));
        } catch (CudaException e) {
            provider.close();
            throw new IllegalStateException("%s fails in its check: %s".formatted(found, e.getMessage()), e);
        }
    }

    private static CudaProvider open(CudaDevice device, Numerics numerics, boolean graphs) {
        try {
            return new CudaProvider(device, numerics, graphs);
        } catch (CudaException e) {
            device.close();
            throw e;
        }
    }

    private @Nullable String refusal() {
        String refusal;
        try (Kernels kernels = create(Numerics.EXACT)) {
            refusal = refusal(kernels);
        }
        if (refusal != null || numerics == Numerics.EXACT) {
            return refusal;
        }
        try (Kernels kernels = create(Numerics.FAST)) {
            return FastCheck.difference(kernels);
        }
    }

    /** What differs from the plain loops, or null. */
    static @Nullable String refusal(Kernels candidate) {
        try (Kernels expected = new ReferenceKernels()) {
            return DeviceCheck.difference(expected, candidate);
        }
    }

    @Override
    public String device() {
        return "cuda" + device.ordinal();
    }

    @Override
    public String reason() {
        return "%s of compute capability %d.%d, %s kernels"
                .formatted(device.name(), device.capability() / 10, device.capability() % 10, numerics.label());
    }

    /** The one that gives the device its work. */
    @Override
    public int threads() {
        return 1;
    }

    @Override
    public int vectorBits() {
        return 0;
    }

    @Override
    public DeviceMemory memory() {
        return memory;
    }

    @Override
    public OptionalLong freeBytes() {
        return OptionalLong.of(device.memory().room().free());
    }

    /**
     * New kernels on a stream of their own. Weights that they use must be closed before them, or before the provider.
     *
     * @throws IllegalStateException if the provider is closed
     * @throws CudaException if the driver refuses
     */
    @Override
    public Kernels create() {
        return create(numerics);
    }

    private Kernels create(Numerics of) {
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException("%s is closed".formatted(device));
            }
            holders++;
        }
        return new CudaKernels(device, graphs, of, this::release);
    }

    @Override
    public @Nullable String failure() {
        synchronized (this) {
            if (closed) {
                return null;
            }
            holders++;
        }
        try {
            device.memory().room();
            return null;
        } catch (CudaException e) {
            return "%s has failed: %s; it is of no use to this process any more".formatted(device, e.getMessage());
        } finally {
            release();
        }
    }

    private synchronized void release() {
        holders--;
        if (holders == 0) {
            memory.close();
            stream.close();
            device.close();
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            release();
        }
    }
}
