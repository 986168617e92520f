package dev.troupe.kernel.cuda.driver;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.BiConsumer;
import jcuda.driver.CUDA_MEMCPY2D;
import jcuda.driver.CUgraph;
import jcuda.driver.CUmemorytype;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * Work that a device does in order, while the host goes on. Memory that the work uses must live until it is done, and what it reads
 * on the host must not change. One thread at a time.
 */
public final class CudaStream implements AutoCloseable {
    private final CudaDevice device;
    private final CUstream stream = new CUstream();
    private final Arena arena = Arena.ofShared();
    private final KernelArguments arguments;
    private long operations;
    private boolean alone;
    private @Nullable ReadMark reads;

    CudaStream(CudaDevice device) {
        this.device = device;
        device.makeCurrent();
        CudaException.check(
                JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING),
                "cuStreamCreate on " + device);
        this.arguments = new KernelArguments(device.memory(), arena);
    }

    /** The device that does the work. */
    public CudaDevice device() {
        return device;
    }

    /** Begins the arguments of the next {@link #launch}. */
    public KernelArguments arguments() {
        return arguments.begin();
    }

    /**
     * Adds a kernel, with the arguments that were begun last.
     *
     * @param columns blocks in x, at least 1
     * @param rows blocks in y, 1 to 65,535
     * @param sharedBytes of dynamic shared memory for a block
     * @throws CudaException if the driver refuses
     */
    public void launch(CudaKernel kernel, int columns, int rows, int sharedBytes) {
        launch(kernel, columns, rows, 1, sharedBytes);
    }

    /** The same with {@code parts} blocks in z, 1 to 65,535. */
    public void launch(CudaKernel kernel, int columns, int rows, int parts, int sharedBytes) {
        device.makeCurrent();
        operations++;
        int result = JCudaDriver.cuLaunchKernel(
                kernel.function(),
                columns,
                rows,
                parts,
                kernel.threads(),
                1,
                1,
                sharedBytes,
                stream,
                null,
                arguments.complete());
        if (result != 0) {
            throw CudaException.of(
                    result,
                    "launch of %s with %d x %d x %d blocks on %s"
                            .formatted(kernel.name(), columns, rows, parts, device));
        }
    }

    /**
     * Copies from the host.
     *
     * @param from native memory, pinned if the host shall go on meanwhile
     * @param to memory of the device, as long
     */
    public void upload(MemorySegment from, MemorySegment to) {
        requireSame(from, to);
        device.makeCurrent();
        operations++;
        DeviceAddress target = new DeviceAddress(device.memory().requireAddress(to));
        CudaException.check(
                JCudaDriver.cuMemcpyHtoDAsync(target, new HostAddress(from), to.byteSize(), stream),
                "cuMemcpyHtoDAsync");
    }

    /**
     * Copies to the host, which may read it after {@link #synchronize}.
     *
     * @param from memory of the device
     * @param to native memory, as long
     */
    public void download(MemorySegment from, MemorySegment to) {
        requireSame(from, to);
        device.makeCurrent();
        operations++;
        DeviceAddress source = new DeviceAddress(device.memory().requireAddress(from));
        CudaException.check(
                JCudaDriver.cuMemcpyDtoHAsync(new HostAddress(to), source, to.byteSize(), stream), "cuMemcpyDtoHAsync");
    }

    /**
     * Copies rows from the host by one call of the driver, or several where it does not take their stride.
     *
     * @param from native memory, pinned if the host shall go on meanwhile
     * @param to memory of the device, as many of the same length
     */
    public void upload(MemoryRows from, MemoryRows to) {
        if (!oneByOne(from, to, this::upload)) {
            CUDA_MEMCPY2D copy = new CUDA_MEMCPY2D();
            copy.srcMemoryType = CUmemorytype.CU_MEMORYTYPE_HOST;
            copy.srcHost = new HostAddress(from.memory());
            copy.srcPitch = from.stride();
            copy.dstMemoryType = CUmemorytype.CU_MEMORYTYPE_DEVICE;
            copy.dstDevice = new DeviceAddress(device.memory().requireAddress(to.memory()));
            copy.dstPitch = to.stride();
            copyRows(copy, from);
        }
    }

    /**
     * Copies rows to the host, as {@link #upload(MemoryRows, MemoryRows)} does from there.
     *
     * @param from memory of the device
     * @param to native memory, as many of the same length
     */
    public void download(MemoryRows from, MemoryRows to) {
        if (!oneByOne(from, to, this::download)) {
            CUDA_MEMCPY2D copy = new CUDA_MEMCPY2D();
            copy.srcMemoryType = CUmemorytype.CU_MEMORYTYPE_DEVICE;
            copy.srcDevice = new DeviceAddress(device.memory().requireAddress(from.memory()));
            copy.srcPitch = from.stride();
            copy.dstMemoryType = CUmemorytype.CU_MEMORYTYPE_HOST;
            copy.dstHost = new HostAddress(to.memory());
            copy.dstPitch = to.stride();
            copyRows(copy, from);
        }
    }

    /** Whether the rows were copied by a call for each, because there is one, or the driver cannot do otherwise. */
    private boolean oneByOne(MemoryRows from, MemoryRows to, BiConsumer<MemorySegment, MemorySegment> copy) {
        from.requireSame(to);
        if (from.count() > 1 && Math.max(from.stride(), to.stride()) <= device.longestStride()) {
            return false;
        }
        for (int i = 0; i < from.count(); i++) {
            copy.accept(from.row(i), to.row(i));
        }
        return true;
    }

    private void copyRows(CUDA_MEMCPY2D copy, MemoryRows rows) {
        copy.WidthInBytes = rows.bytes();
        copy.Height = rows.count();
        device.makeCurrent();
        operations++;
        CudaException.check(JCudaDriver.cuMemcpy2DAsync(copy, stream), "cuMemcpy2DAsync");
    }

    /** Copies inside the device. */
    public void copy(MemorySegment from, MemorySegment to) {
        copy(device, from, to);
    }

    /**
     * Copies from another device, or inside the own one.
     *
     * @param source one that this stream's device {@linkplain CudaDevice#reaches reaches}
     */
    public void copy(CudaDevice source, MemorySegment from, MemorySegment to) {
        requireSame(from, to);
        device.makeCurrent();
        operations++;
        DeviceAddress start = new DeviceAddress(source.memory().requireAddress(from));
        DeviceAddress target = new DeviceAddress(device.memory().requireAddress(to));
        int result = source.ordinal() == device.ordinal()
                ? JCudaDriver.cuMemcpyDtoDAsync(target, start, to.byteSize(), stream)
                : JCudaDriver.cuMemcpyPeerAsync(
                        target, device.context(), start, source.context(), to.byteSize(), stream);
        CudaException.check(result, "copy from %s to %s".formatted(source, device));
    }

    /** Marks what was read so far; the same mark for the life of the stream. */
    ReadMark markRead() {
        if (reads == null) {
            reads = new ReadMark(this);
        }
        reads.record();
        return reads;
    }

    /** Sets all bytes of memory of the device. */
    public void fill(MemorySegment memory, byte value) {
        device.makeCurrent();
        operations++;
        DeviceAddress target = new DeviceAddress(device.memory().requireAddress(memory));
        CudaException.check(JCudaDriver.cuMemsetD8Async(target, value, memory.byteSize(), stream), "cuMemsetD8Async");
    }

    private static void requireSame(MemorySegment from, MemorySegment to) {
        if (from.byteSize() != to.byteSize()) {
            throw new IllegalArgumentException(
                    "%d bytes cannot be copied to %d bytes".formatted(from.byteSize(), to.byteSize()));
        }
    }

    /**
     * Waits until all work is done.
     *
     * @throws CudaException if some of it has failed; the device is then of no use to this process any more
     */
    public void synchronize() {
        device.makeCurrent();
        CudaException.check(JCudaDriver.cuStreamSynchronize(stream), "work on " + device);
    }

    /** Waits until no work is left, whether it was done or has failed: afterwards memory that it used may be given back. */
    public void end() {
        device.makeCurrent();
        CudaException.checkRelease(JCudaDriver.cuStreamSynchronize(stream), "work on " + device);
    }

    /** Marks what was added so far. */
    public void record(CudaEvent event) {
        device.makeCurrent();
        CudaException.check(JCudaDriver.cuEventRecord(event.event(), stream), "cuEventRecord");
    }

    /** Does what is added from now on after what the event marks, of whatever stream of this process. */
    public void await(CudaEvent event) {
        device.makeCurrent();
        CudaException.check(JCudaDriver.cuStreamWaitEvent(stream, event.event(), 0), "cuStreamWaitEvent");
    }

    /** Kernels, copies and fills that were added or noted so far; a graph is one. */
    public long operations() {
        return operations;
    }

    /**
     * Runs work that is noted, now or when it comes again: it may take memory the first time, but not exchange anything with the host,
     * which is not there when the device repeats it.
     */
    public void withoutHost(Runnable work) {
        alone = true;
        try {
            work.run();
        } finally {
            alone = false;
        }
    }

    /**
     * For an operation that takes from the host's memory or gives to it.
     *
     * @throws IllegalStateException inside of {@link #withoutHost}
     */
    public void requireHost(String operation) {
        if (alone) {
            throw new IllegalStateException(
                    "%s cannot be part of work that is repeated: it needs the host every time".formatted(operation));
        }
    }

    /**
     * Notes work instead of doing it.
     *
     * @param work adds to this stream, and waits for nothing
     * @return what was noted, with the arguments it had; the caller closes it
     * @throws CudaException if something in it cannot be noted
     */
    public CudaGraph capture(Runnable work) {
        device.makeCurrent();
        CudaException.check(
                JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                "cuStreamBeginCapture");
        CUgraph graph = new CUgraph();
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            if (JCudaDriver.cuStreamEndCapture(stream, graph) == 0) {
                JCudaDriver.cuGraphDestroy(graph);
            }
            throw e;
        }
        CudaException.check(JCudaDriver.cuStreamEndCapture(stream, graph), "cuStreamEndCapture");
        try {
            return new CudaGraph(device, graph);
        } finally {
            JCudaDriver.cuGraphDestroy(graph);
        }
    }

    /** Adds what was noted. */
    public void launch(CudaGraph graph) {
        device.makeCurrent();
        operations++;
        int result = JCudaDriver.cuGraphLaunch(graph.executable(), stream);
        if (result != 0) {
            throw CudaException.of(result, "cuGraphLaunch on " + device);
        }
    }

    @Override
    public void close() {
        if (reads != null) {
            reads.close();
        }
        device.makeCurrent();
        CudaException.checkRelease(JCudaDriver.cuStreamDestroy(stream), "cuStreamDestroy");
        arena.close();
    }
}
