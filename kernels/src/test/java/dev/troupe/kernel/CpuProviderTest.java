package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.troupe.kernel.CpuProvider.Machine;
import dev.troupe.kernel.KernelProvider.Choice;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import java.nio.ByteOrder;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class CpuProviderTest {
    private static final String NO_NATIVES = "this build has none";
    private static final Machine GOOD = new Machine(true, 256, true, ByteOrder.LITTLE_ENDIAN, NO_NATIVES);

    @Test
    void takesTheVectorApiWhereItRuns() {
        CpuProvider provider = CpuProvider.choose(Choice.AUTO, 1, GOOD);

        assertThat(provider.reason())
                .isEqualTo("Vector API with 256 bits on 1 thread; no native products: this build has none");
        try (Kernels kernels = provider.create()) {
            assertThat(kernels).isInstanceOf(VectorKernels.class);
            assertThat(kernels.description()).endsWith("bits, 1 thread");
        }
    }

    @Test
    void takesNativeProductsWhereTheyRunUnlessTheVectorApiAloneIsAskedFor() {
        Machine machine = new Machine(true, 256, true, ByteOrder.LITTLE_ENDIAN, null);

        for (Choice choice : new Choice[] {Choice.AUTO, Choice.NATIVE}) {
            CpuProvider provider = CpuProvider.choose(choice, 1, machine);
            assertThat(provider.reason()).isEqualTo("Vector API with 256 bits and native products on 1 thread");
            try (Kernels kernels = provider.create()) {
                assertThat(kernels.description()).endsWith(" bits and native products, 1 thread");
            }
        }
        CpuProvider alone = CpuProvider.choose(Choice.VECTOR, 1, machine);
        assertThat(alone.reason()).isEqualTo("Vector API with 256 bits on 1 thread");
        try (Kernels kernels = alone.create()) {
            assertThat(kernels.description()).endsWith(" bits, 1 thread");
        }
    }

    @Test
    void refusesNativeProductsWhereTheyWereAskedForAndCannotRun() {
        assertThatThrownBy(() -> CpuProvider.choose(Choice.NATIVE, 1, GOOD))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("kernels = native cannot run here: this build has none;"
                        + " kernels = auto, vector or reference works");
        assertThatThrownBy(() -> CpuProvider.choose(
                        Choice.NATIVE, 1, new Machine(false, 0, true, ByteOrder.LITTLE_ENDIAN, null)))
                .hasMessage("kernels = native cannot run here: the JVM was started without --add-modules"
                        + " jdk.incubator.vector; kernels = auto or reference works");
    }

    @Test
    void usesTheNativeProductsOfThisBuild() {
        assumeThat(NativeProducts.refusal()).as("native products run here").isNull();

        CpuProvider provider = CpuProvider.choose(Choice.NATIVE, 1);

        assertThat(provider.reason()).contains("bits and native products on 1 thread");
    }

    @Test
    void saysWhyItDoesNotTakeTheVectorApi() {
        assertThat(reason(new Machine(false, 0, true, ByteOrder.LITTLE_ENDIAN, NO_NATIVES)))
                .isEqualTo("plain loops on 1 thread, because the JVM was started without --add-modules"
                        + " jdk.incubator.vector");
        assertThat(reason(new Machine(true, 64, true, ByteOrder.LITTLE_ENDIAN, NO_NATIVES)))
                .isEqualTo(
                        "plain loops on 1 thread, because this machine's vectors have 64 bits and the kernels need 128");
        assertThat(reason(new Machine(true, 256, false, ByteOrder.LITTLE_ENDIAN, NO_NATIVES)))
                .contains("only interprets");
        assertThat(reason(new Machine(true, 256, true, ByteOrder.BIG_ENDIAN, NO_NATIVES)))
                .contains("big-endian");
    }

    private static String reason(Machine machine) {
        CpuProvider provider = CpuProvider.choose(Choice.AUTO, 4, machine);
        try (Kernels kernels = provider.create()) {
            assertThat(kernels).isInstanceOf(ReferenceKernels.class);
        }
        return provider.reason();
    }

    @Test
    void refusesTheVectorApiWhereItWasAskedForAndCannotRun() {
        assertThatThrownBy(() -> CpuProvider.choose(
                        Choice.VECTOR, 1, new Machine(false, 0, true, ByteOrder.LITTLE_ENDIAN, NO_NATIVES)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("kernels = vector cannot run here: the JVM was started without --add-modules"
                        + " jdk.incubator.vector; kernels = auto or reference works");
    }

    @Test
    void neverUsesMoreThreadsThanThereAreCores() {
        int cores = Runtime.getRuntime().availableProcessors();

        CpuProvider provider = CpuProvider.choose(Choice.AUTO, cores + 3, GOOD);

        assertThat(provider.reason()).contains("on %d thread".formatted(cores)).contains("no more cores");
        try (Kernels kernels = provider.create()) {
            assertThat(kernels.description()).contains(", %d thread".formatted(cores));
        }
    }

    @Test
    void runsOnThisMachine() {
        CpuProvider provider = CpuProvider.choose(Choice.VECTOR, 2);

        try (Kernels kernels = provider.create()) {
            assertThat(kernels).isInstanceOf(VectorKernels.class);
            assertThat(provider.reason()).startsWith("Vector API with %d bits".formatted(VectorKernels.vectorBits()));
        }
    }

    @Test
    void readsNamesInAnyCase() {
        assertThat(Choice.of(" Vector")).isEqualTo(Choice.VECTOR);
        assertThatThrownBy(() -> Choice.of("cuda"))
                .hasMessage("kernels = cuda does not work; these do: auto, native, vector, reference");
        assertThatThrownBy(() -> CpuProvider.choose(Choice.AUTO, 0)).hasMessage("threads = 0, expected at least 1");
    }

    @Test
    void warmsUpEveryTypeWithinItsTime() {
        for (Choice choice : new Choice[] {Choice.VECTOR, Choice.REFERENCE}) {
            try (Kernels kernels = CpuProvider.choose(choice, 1).create()) {
                for (DType type : DType.values()) {
                    long start = System.nanoTime();
                    WarmUp.run(kernels, type, KvType.F16, Duration.ofMillis(100));
                    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
                }
            }
        }
    }

    @Test
    void namesWhatMayChangeABit() {
        assertThat(NumericsId.of(Numerics.EXACT, KvType.F16)).hasToString("exact-1/span-128/chunks-8x32/kv-f16");
        assertThat(NumericsId.of(Numerics.EXACT, KvType.F32)).isNotEqualTo(NumericsId.of(Numerics.EXACT, KvType.F16));
        assertThat(NumericsId.of(Numerics.FAST, KvType.F16)).hasToString("fast-1/span-128/chunks-8x32/kv-f16");
    }
}
