package dev.troupe.kernel.cuda.driver;

import java.util.Arrays;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/** Compiled kernels on a device. */
public final class CudaModule implements AutoCloseable {
    private final CudaDevice device;
    private final CUmodule module = new CUmodule();

    CudaModule(CudaDevice device, byte[] image) {
        this.device = device;
        device.makeCurrent();
        byte[] ended = Arrays.copyOf(image, image.length + 1);
        CudaException.check(JCudaDriver.cuModuleLoadData(module, ended), "cuModuleLoadData on " + device);
    }

    /**
     * One of its kernels; usable until the module is closed.
     *
     * @throws CudaException if it has none of this name
     */
    public CudaKernel kernel(String name) {
        device.makeCurrent();
        CUfunction function = new CUfunction();
        CudaException.check(JCudaDriver.cuModuleGetFunction(function, module, name), "kernel " + name);
        return new CudaKernel(device, name, function);
    }

    @Override
    public void close() {
        device.makeCurrent();
        CudaException.checkRelease(JCudaDriver.cuModuleUnload(module), "cuModuleUnload");
    }
}
