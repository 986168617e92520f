package dev.troupe.kernel.cuda.driver;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** A mark behind the work of a stream, for other streams and the host to wait for. */
public final class CudaEvent implements AutoCloseable {
    private final CudaDevice device;
    private final CUevent event = new CUevent();

    /** A mark for streams of this device; nothing waits for it before it is recorded. */
    public CudaEvent(CudaDevice device) {
        this.device = device;
        device.makeCurrent();
        CudaException.check(
                JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING), "cuEventCreate on " + device);
    }

    /** Whether all that it marks is done. */
    public boolean isDone() {
        device.makeCurrent();
        int result = JCudaDriver.cuEventQuery(event);
        if (result == CUresult.CUDA_ERROR_NOT_READY) {
            return false;
        }
        CudaException.check(result, "cuEventQuery");
        return true;
    }

    /** Waits until all that it marks is done. */
    public void synchronize() {
        device.makeCurrent();
        CudaException.check(JCudaDriver.cuEventSynchronize(event), "work on " + device);
    }

    CUevent event() {
        return event;
    }

    @Override
    public void close() {
        device.makeCurrent();
        CudaException.checkRelease(JCudaDriver.cuEventDestroy(event), "cuEventDestroy");
    }
}
