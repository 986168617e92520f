package dev.troupe.kernel.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.CpuProvider;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvStore;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class SelfTestTest {
    private static final SelfTest.Plan QUICK = SelfTest.Plan.of(SelfTest.Extent.QUICK);

    private final List<Finding> told = new ArrayList<>();

    @ParameterizedTest
    @EnumSource(
            value = KernelProvider.Choice.class,
            names = {"AUTO", "VECTOR"})
    void findsNothingInTheKernelsOfTheProcessor(KernelProvider.Choice choice) {
        try (KernelProvider provider = CpuProvider.choose(choice, 2);
                Kernels kernels = provider.create()) {
            List<Finding> findings = SelfTest.run(kernels, QUICK, told::add);

            assertThat(findings).isEqualTo(told).hasSizeGreaterThan(50);
            assertThat(findings).allSatisfy(finding -> {
                assertThat(finding.difference()).as(finding.operation()).isNull();
                assertThat(finding.cases()).as(finding.operation()).isPositive();
            });
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "matmul",
                "matmulChunks",
                "embed",
                "rmsNorm",
                "addRmsNorm",
                "rmsNormHeads",
                "rope",
                "storeKv",
                "attention",
                "swiglu",
                "add",
                "addBias",
                "gatherRows",
                "softmax",
                "argmax",
                "topK",
                "markNonFinite"
            })
    void findsOneWrongBitOfEveryOperation(String operation) {
        List<Finding> findings = SelfTest.run(wrong(operation), only(operation), told::add);

        assertThat(findings)
                .filteredOn(finding -> (finding.operation() + " ").startsWith(operation + " "))
                .isNotEmpty()
                .noneMatch(Finding::ok);
    }

    @Test
    void findsAWrongBitOnlyWhereItIs() {
        List<Finding> findings = SelfTest.run(wrong("add"), only("add"), told::add);

        assertThat(findings).extracting(Finding::operation).containsExactly("addRmsNorm", "add", "addBias");
        assertThat(findings).extracting(Finding::ok).containsExactly(true, false, true);
    }

    private static SelfTest.Plan only(String operation) {
        return new SelfTest.Plan(SelfTest.Extent.QUICK, operation);
    }

    @Test
    void showsTheBitsOfBoth() {
        List<Finding> findings = SelfTest.run(wrong("swiglu"), only("swiglu"), told::add);

        assertThat(findings)
                .filteredOn(finding -> !finding.ok())
                .singleElement()
                .extracting(Finding::difference)
                .asString()
                .matches("rows of 1: row 2, column 0 is [0-9a-f]{8} \\(.+\\), expected [0-9a-f]{8} \\(.+\\);"
                        + " 1 of 4 values differ");
    }

    @Test
    void goesOnAfterAnErrorOfTheProcessor() {
        List<Finding> findings =
                SelfTest.run(failing("rmsNorm", new IllegalStateException("no more")), only("rms"), told::add);

        assertThat(findings).filteredOn(Finding::stopped).singleElement().satisfies(finding -> {
            assertThat(finding.operation()).isEqualTo("rmsNorm");
            assertThat(finding.difference()).isEqualTo("it ended by an error: no more");
        });
        assertThat(findings.getLast().operation()).isEqualTo("rmsNormHeads");
        assertThat(findings.getLast().ok()).isTrue();
    }

    /** Plain loops of which one operation leaves one bit of its last token wrong. */
    private static Kernels wrong(String operation) {
        ReferenceKernels plain = new ReferenceKernels();
        return proxy((name, arguments, call) -> {
            Object result = call.run(plain);
            if (name.equals(operation)) {
                spoil(name, arguments);
            }
            return result;
        });
    }

    private static Kernels failing(String operation, RuntimeException error) {
        ReferenceKernels plain = new ReferenceKernels();
        return proxy((name, arguments, call) -> {
            if (name.equals(operation)) {
                throw error;
            }
            return call.run(plain);
        });
    }

    private interface Call {
        Object run(Kernels kernels) throws Throwable;
    }

    private interface Around {
        Object run(String name, Object[] arguments, Call call) throws Throwable;
    }

    private static Kernels proxy(Around around) {
        return (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(),
                new Class<?>[] {Kernels.class},
                (_, method, arguments) ->
                        around.run(method.getName(), arguments == null ? new Object[0] : arguments, kernels -> {
                            try {
                                return method.invoke(kernels, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                        }));
    }

    private static void spoil(String operation, Object[] arguments) {
        Object last = arguments[arguments.length - 1];
        switch (operation) {
            case "matmul" -> flip((Tensor) last, (int) arguments[3] - 1);
            case "matmulChunks" -> {
                Tensor[] sums = (Tensor[]) last;
                flip(sums[sums.length - 1], (int) arguments[2] - 1);
            }
            case "embed" -> flip((Tensor) last, ((TokenBatch) arguments[1]).tokens() - 1);
            case "attention" -> flip((Tensor) last, ((TokenBatch) arguments[5]).tokens() - 1);
            case "rmsNorm" -> flip((Tensor) last, (int) arguments[3] - 1);
            case "addRmsNorm" -> flip((Tensor) arguments[0], (int) arguments[4] - 1);
            case "swiglu", "softmax" -> flip((Tensor) last, (int) arguments[1] - 1);
            case "gatherRows" -> flip((Tensor) last, ((int[]) arguments[1]).length - 1);
            case "rmsNormHeads" -> flip((Tensor) arguments[0], (int) last - 1);
            case "rope" -> flip((Tensor) arguments[0], ((TokenBatch) last).tokens() - 1);
            case "add", "addBias" -> flip((Tensor) arguments[0], (int) last - 1);
            case "argmax", "topK" -> ((int[]) last)[((int[]) last).length - 1] ^= 1;
            case "storeKv" -> flip(((KvStore) arguments[0]).values((int) arguments[1]), 4);
            case "markNonFinite" -> ((TokenFlags) last).mark(0);
            default -> throw new IllegalArgumentException(operation);
        }
    }

    private static void flip(Tensor tensor, int row) {
        flip(tensor.memory(), 4L * ((row + 1L) * tensor.columns() - 1));
    }

    private static void flip(MemorySegment memory, long at) {
        memory.set(ValueLayout.JAVA_INT_UNALIGNED, at, memory.get(ValueLayout.JAVA_INT_UNALIGNED, at) ^ 1);
    }
}
