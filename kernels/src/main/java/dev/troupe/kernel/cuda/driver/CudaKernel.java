package dev.troupe.kernel.cuda.driver;

import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/** A function that a device runs in blocks of a fixed number of threads. */
public final class CudaKernel {
    private final CudaDevice device;
    private final String name;
    private final CUfunction function;
    private final int threads;

    CudaKernel(CudaDevice device, String name, CUfunction function) {
        this.device = device;
        this.name = name;
        this.function = function;
        int[] value = new int[1];
        CudaException.check(
                JCudaDriver.cuFuncGetAttribute(
                        value, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function),
                "cuFuncGetAttribute of kernel " + name);
        this.threads = value[0];
    }

    /**
     * Lets launches ask for more shared memory than 48 KB.
     *
     * @param bytes at most
     * @throws CudaException if the device has not so much
     */
    public void permitShared(int bytes) {
        device.makeCurrent();
        CudaException.check(
                JCudaDriver.cuFuncSetAttribute(
                        function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
                "%d bytes of shared memory for kernel %s".formatted(bytes, name));
    }

    /** Its name in the module. */
    public String name() {
        return name;
    }

    /** Threads of a block, as its source says. */
    public int threads() {
        return threads;
    }

    CUfunction function() {
        return function;
    }
}
