package dev.troupe.kernel.cuda.driver;

import dev.troupe.tensor.DeviceMemory.Use;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * A GPU in use, by its primary context, which other code of this process may use as well. Any thread may work on it, one at a time
 * on each of its streams.
 */
public final class CudaDevice implements AutoCloseable {
    private static final long PAGE = 4096;

    private final int ordinal;
    private final String name;
    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final int capability;
    private final int longestStride;
    private final DeviceHeap memory = new DeviceHeap(this);
    private final ExchangeMemory exchange = new ExchangeMemory(this);
    private final Map<CudaDevice, Boolean> reached = new HashMap<>();

    /**
     * Starts to use a device that a detection found.
     *
     * @param ordinal its number, from 0
     * @throws CudaException if the driver refuses
     */
    public CudaDevice(int ordinal) {
        this.ordinal = ordinal;
        DriverLibrary.require();
        CudaException.check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet of device %d".formatted(ordinal));
        byte[] bytes = new byte[256];
        CudaException.check(JCudaDriver.cuDeviceGetName(bytes, bytes.length, device), "cuDeviceGetName");
        this.name = new String(bytes, StandardCharsets.UTF_8).split("\0", 2)[0];
        this.capability = 10 * attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                + attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        this.longestStride = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_PITCH);
        CudaException.check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
    }

    /** A number that the driver knows about the device. */
    int attribute(int which) {
        int[] value = new int[1];
        CudaException.check(JCudaDriver.cuDeviceGetAttribute(value, which, device), "cuDeviceGetAttribute");
        return value[0];
    }

    /** Its number, from 0. */
    public int ordinal() {
        return ordinal;
    }

    /** As its maker calls it. */
    public String name() {
        return name;
    }

    /** Compute capability without its point: 90 for 9.0. */
    public int capability() {
        return capability;
    }

    /** Units that blocks of threads are spread over. */
    public int multiprocessors() {
        return attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    }

    /** Bytes of the cache between its memory and its units. */
    public int cacheBytes() {
        return attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
    }

    /** Bytes from row to row at most of a copy of several. */
    int longestStride() {
        return longestStride;
    }

    /** Its memory. */
    public DeviceHeap memory() {
        return memory;
    }

    /** Its memory for what its streams leave to those of other ranks. */
    public ExchangeMemory exchange() {
        return exchange;
    }

    /**
     * Whether its streams can copy from the memory of another device, which is made possible when it is first asked.
     *
     * @throws CudaException if the driver refuses although it can be done
     */
    public synchronized boolean reaches(CudaDevice other) {
        return ordinal == other.ordinal || reached.computeIfAbsent(other, this::enable);
    }

    private boolean enable(CudaDevice other) {
        int[] can = new int[1];
        CudaException.check(
                JCudaDriver.cuDeviceCanAccessPeer(can, device, other.device), "cuDeviceCanAccessPeer of " + other);
        if (can[0] == 0) {
            return false;
        }
        makeCurrent();
        int result = JCudaDriver.cuCtxEnablePeerAccess(other.context, 0);
        if (result == CUresult.CUDA_ERROR_TOO_MANY_PEERS) {
            return false;
        }
        if (result != CUresult.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) { // by other code of this process
            CudaException.check(result, "access of %s to %s".formatted(this, other));
        }
        return true;
    }

    CUcontext context() {
        return context;
    }

    /** A new stream, which the caller closes. */
    public CudaStream stream() {
        return new CudaStream(this);
    }

    /**
     * Compiled kernels, which the caller closes.
     *
     * @param image a cubin, or PTX as text
     * @throws CudaException if the driver cannot load it
     */
    public CudaModule load(byte[] image) {
        return new CudaModule(this, image);
    }

    /**
     * Memory of the host that all devices copy from and to while the host does other things.
     *
     * @param arena ends its life
     * @throws CudaException if the driver refuses
     */
    @SuppressWarnings("restricted") // the same memory with another end of life
    public MemorySegment pinned(Arena arena, long bytes) {
        Arena own = Arena.ofShared();
        MemorySegment memory = own.allocate(bytes, PAGE);
        makeCurrent();
        int result =
                JCudaDriver.cuMemHostRegister(new HostAddress(memory), bytes, JCudaDriver.CU_MEMHOSTREGISTER_PORTABLE);
        if (result != 0) {
            own.close();
            throw CudaException.of(result, "cuMemHostRegister of %d bytes".formatted(bytes));
        }
        return memory.reinterpret(bytes, arena, gone -> {
            makeCurrent();
            JCudaDriver.cuMemHostUnregister(new HostAddress(gone));
            own.close();
        });
    }

    /** Makes it the one that this thread's calls are about. Every call of this package does so. */
    void makeCurrent() {
        int result = JCudaDriver.cuCtxSetCurrent(context);
        if (result != 0) {
            throw CudaException.of(result, "cuCtxSetCurrent of " + this);
        }
    }

    /**
     * Ends its use; what was made of it has ended before.
     *
     * @throws IllegalStateException if memory is still in use
     */
    @Override
    public void close() {
        exchange.close();
        boolean empty = Arrays.stream(Use.values()).allMatch(use -> memory.held(use) == 0);
        if (!empty) {
            throw new IllegalStateException(
                    "%s is closed while memory is in use: %s".formatted(this, memory.holders()));
        }
        CudaException.checkRelease(JCudaDriver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
    }

    @Override
    public String toString() {
        return "device %d (%s)".formatted(ordinal, name);
    }
}
