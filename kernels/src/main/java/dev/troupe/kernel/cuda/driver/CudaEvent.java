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
        this(device, CUevent_flags.CU_EVENT_DISABLE_TIMING);
    }

    private CudaEvent(CudaDevice device, int flags) {
        this.device = device;
        device.makeCurrent();
        CudaException.check(JCudaDriver.cuEventCreate(event, flags), "cuEventCreate on " + device);
    }

    /** A mark that knows when the device came to it, which costs the device a little. */
    public static CudaEvent timed(CudaDevice device) {
        return new CudaEvent(device, CUevent_flags.CU_EVENT_DEFAULT);
    }

    /**
     * Seconds by the device's clock since it came to an earlier mark. Both were made by {@link #timed}, recorded and waited for.
     *
     * @throws CudaException if one was not
     */
    public double secondsSince(CudaEvent earlier) {
        device.makeCurrent();
        float[] milliseconds = new float[1];
        CudaException.check(
                JCudaDriver.cuEventElapsedTime(milliseconds, earlier.event, event), "cuEventElapsedTime on " + device);
        return milliseconds[0] / 1e3;
    }

    /**
     * Whether all that it marks is done; waits for nothing.
     *
     * @throws CudaException if a kernel has failed on the device, whatever it marks
     */
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
