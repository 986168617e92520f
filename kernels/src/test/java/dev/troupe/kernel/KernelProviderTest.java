package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.KernelProvider.Choice;
import dev.troupe.kernel.KernelProvider.Machine;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kernel.vector.VectorKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import java.nio.ByteOrder;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class KernelProviderTest {
    private static final Machine GOOD = new Machine(true, 256, true, ByteOrder.LITTLE_ENDIAN);

    @Test
    void takesTheVectorApiWhereItRuns() {
        KernelProvider provider = KernelProvider.choose(Choice.AUTO, 1, GOOD);

        assertThat(provider.reason()).isEqualTo("Vector API with 256 bits on 1 thread");
        try (Kernels kernels = provider.create()) {
            assertThat(kernels).isInstanceOf(VectorKernels.class);
            assertThat(kernels.description()).endsWith("1 thread");
        }
    }

    @Test
    void saysWhyItDoesNotTakeTheVectorApi() {
        assertThat(reason(new Machine(false, 0, true, ByteOrder.LITTLE_ENDIAN)))
                .isEqualTo("plain loops on 1 thread, because the JVM was started without --add-modules"
                        + " jdk.incubator.vector");
        assertThat(reason(new Machine(true, 64, true, ByteOrder.LITTLE_ENDIAN)))
                .isEqualTo(
                        "plain loops on 1 thread, because this machine's vectors have 64 bits and the kernels need 128");
        assertThat(reason(new Machine(true, 256, false, ByteOrder.LITTLE_ENDIAN)))
                .contains("only interprets");
        assertThat(reason(new Machine(true, 256, true, ByteOrder.BIG_ENDIAN))).contains("big-endian");
    }

    private static String reason(Machine machine) {
        KernelProvider provider = KernelProvider.choose(Choice.AUTO, 4, machine);
        try (Kernels kernels = provider.create()) {
            assertThat(kernels).isInstanceOf(ReferenceKernels.class);
        }
        return provider.reason();
    }

    @Test
    void refusesTheVectorApiWhereItWasAskedForAndCannotRun() {
        assertThatThrownBy(() ->
                        KernelProvider.choose(Choice.VECTOR, 1, new Machine(false, 0, true, ByteOrder.LITTLE_ENDIAN)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("kernels = vector cannot run here: the JVM was started without --add-modules"
                        + " jdk.incubator.vector; kernels = auto or reference works");
    }

    @Test
    void neverUsesMoreThreadsThanThereAreCores() {
        int cores = Runtime.getRuntime().availableProcessors();

        KernelProvider provider = KernelProvider.choose(Choice.AUTO, cores + 3, GOOD);

        assertThat(provider.reason()).contains("on %d thread".formatted(cores)).endsWith("no more cores");
        try (Kernels kernels = provider.create()) {
            assertThat(kernels.description()).contains(", %d thread".formatted(cores));
        }
    }

    @Test
    void runsOnThisMachine() {
        KernelProvider provider = KernelProvider.choose(Choice.VECTOR, 2);

        try (Kernels kernels = provider.create()) {
            assertThat(kernels).isInstanceOf(VectorKernels.class);
            assertThat(provider.reason()).startsWith("Vector API with %d bits".formatted(VectorKernels.vectorBits()));
        }
    }

    @Test
    void readsNamesInAnyCase() {
        assertThat(Choice.of(" Vector")).isEqualTo(Choice.VECTOR);
        assertThatThrownBy(() -> Choice.of("cuda"))
                .hasMessage("kernels = cuda does not work; these do: auto, vector, reference");
        assertThatThrownBy(() -> KernelProvider.choose(Choice.AUTO, 0)).hasMessage("threads = 0, expected at least 1");
    }

    @Test
    void warmsUpEveryTypeWithinItsTime() {
        for (Choice choice : new Choice[] {Choice.VECTOR, Choice.REFERENCE}) {
            try (Kernels kernels = KernelProvider.choose(choice, 1).create()) {
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
        assertThat(NumericsId.exact(KvType.F16)).hasToString("exact-1/span-128/chunks-8x32/kv-f16");
        assertThat(NumericsId.exact(KvType.F32)).isNotEqualTo(NumericsId.exact(KvType.F16));
    }
}
