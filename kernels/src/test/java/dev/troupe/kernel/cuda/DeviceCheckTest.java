package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kernel.vector.WorkerPool;
import dev.troupe.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The comparison that a device has to pass, with kernels of the host in its place. */
class DeviceCheckTest {
    @Test
    void passesKernelsWithTheRightBits() {
        try (Kernels kernels = new VectorKernels(new WorkerPool(1), false)) {
            assertThat(CudaProvider.refusal(kernels)).isNull();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "matmul, product of f32",
        "matmulChunks, product in chunks of f32",
        "rmsNorm, rmsNorm",
        "swiglu, swiglu",
        "softmax, softmax",
        "attention, attention of 1 tokens"
    })
    void refusesKernelsOfWhichOneIsOffByABit(String operation, String found) {
        try (Kernels kernels = offByABit(operation)) {
            assertThat(CudaProvider.refusal(kernels)).startsWith(found + ", row 0, column 1: ");
        }
    }

    /** The plain loops, but the lowest bit of one element of what an operation gives is another. */
    private static Kernels offByABit(String operation) {
        Kernels right = new ReferenceKernels();
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    try {
                        Object result = method.invoke(right, arguments);
                        if (method.getName().equals(operation)) {
                            Object last = arguments[arguments.length - 1];
                            Tensor y = last instanceof Tensor[] sums ? sums[0] : (Tensor) last;
                            y.set(0, 1, Float.intBitsToFloat(Float.floatToRawIntBits(y.get(0, 1)) ^ 1));
                        }
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
