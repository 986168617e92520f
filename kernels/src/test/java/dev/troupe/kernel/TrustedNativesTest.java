package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kernel.vector.WorkerPool;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;

/** The check that native products must pass before they are used. */
class TrustedNativesTest {

    @Test
    void trustsWhatThisBuildHas() {
        assumeThat(NativeProducts.refusal()).as("native products run here").isNull();

        assertThat(TrustedNatives.refusal()).isNull();
    }

    @Test
    void trustsKernelsWithTheBitsOfThePlainLoops() {
        try (Kernels vector = new VectorKernels(new WorkerPool(1))) {
            assertThat(TrustedNatives.checked(vector)).isNull();
        }
    }

    @Test
    void findsOneOtherBitOfAnyTypeAndNumberOfTokens() {
        for (DType type : DType.values()) {
            for (int tokens : new int[] {1, 7, 35}) {
                if (type.quantised()) {
                    assertThat(TrustedNatives.checked(withOtherBit(type, tokens)))
                            .startsWith("their check has found other bits: %s, row 32, token %d of %d: "
                                    .formatted(type.label(), tokens - 1, tokens));
                }
            }
        }
    }

    @Test
    void findsOneOtherBitOfAttention() {
        Kernels right = new ReferenceKernels();
        Kernels wrong = (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    Object result = method.invoke(right, arguments);
                    if (method.getName().equals("attention") && arguments[6] instanceof Tensor y && y.columns() == 66) {
                        y.set(1, 65, Float.intBitsToFloat(Float.floatToRawIntBits(y.get(1, 65)) ^ 1));
                    }
                    return result;
                });

        assertThat(TrustedNatives.checked(wrong))
                .startsWith("their check has found other bits: attention of 1 heads at position 34, column 65: ");
    }

    /** Plain loops, but the last bit of the last output of one type and batch is another one. */
    private static Kernels withOtherBit(DType type, int tokens) {
        Kernels right = new ReferenceKernels();
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    try {
                        Object result = method.invoke(right, arguments);
                        if (method.getName().equals("matmul")
                                && arguments[0] instanceof PackedMatrix w
                                && w.type() == type
                                && arguments[3].equals(tokens)
                                && arguments[4] instanceof Tensor y) {
                            int row = w.rows() - 1;
                            int bits = Float.floatToRawIntBits(y.get(tokens - 1, row));
                            y.set(tokens - 1, row, Float.intBitsToFloat(bits ^ 1));
                        }
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
