package dev.troupe.kernel.cuda.driver;

import java.util.Set;
import jcuda.driver.JCudaDriver;

/** A call of NVIDIA's driver that did not succeed. Work on a device is asynchronous, so the call may tell of an earlier one. */
public class CudaException extends RuntimeException {
    /** {@code CUDA_ERROR_OUT_OF_MEMORY}. */
    static final int OUT_OF_MEMORY = 2;

    /** Results after which nothing works on a device until the process ends, as {@code cuda.h} says of them. */
    private static final Set<Integer> LOST =
            Set.of(4, 46, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999);

    private static final long serialVersionUID = 1;

    private final int code;

    CudaException(int code, String message) {
        super(message);
        this.code = code;
    }

    /** The number of the result, as in NVIDIA's {@code CUresult}. */
    public int code() {
        return code;
    }

    /**
     * Looks at the result of a call.
     *
     * @param what was called, as the start of a sentence
     * @throws CudaException if it is not success
     */
    static void check(int result, String what) {
        if (result != 0) {
            throw of(result, what);
        }
    }

    /**
     * Looks at the result of giving something back. On a device that is lost nothing can be, and that is known from somewhere else.
     *
     * @throws CudaException if it is anything else but success
     */
    static void checkRelease(int result, String what) {
        if (!LOST.contains(result)) {
            check(result, what);
        }
    }

    static CudaException of(int result, String what) {
        String[] name = new String[1];
        String[] text = new String[1];
        JCudaDriver.cuGetErrorName(result, name);
        JCudaDriver.cuGetErrorString(result, text);
        return new CudaException(result, "%s: %s (%d), %s".formatted(what, name[0], result, text[0]));
    }
}
