package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.DeviceMemoryException;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@StandInTest
class DeviceHeapTest {
    @TempDir
    private Path folder;

    @Test
    void saysWhatHoldsTheMemoryWhenThereIsNoRoom() {
        StandIn.set("memory", 10_000_000);
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared()) {
            device.memory().allocate(arena, Use.WEIGHTS, 6_000_000);
            device.memory().allocate(arena, Use.WORKSPACE, 1_000);

            assertThatThrownBy(() -> device.memory().allocate(arena, Use.KEYS_AND_VALUES, 4_000_000))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessage("device 0 (Stand-in 0) has no room for KV 4 MB: 3 MB of 10 MB are free,"
                            + " and this process holds weights 6 MB, KV 0 bytes, workspace 1,000 bytes");
            assertThat(device.memory().held(Use.KEYS_AND_VALUES)).isZero();
        }
    }

    @Test
    void anArenaGivesItsMemoryBack() {
        try (CudaDevice device = new CudaDevice(0)) {
            try (Arena arena = Arena.ofShared()) {
                device.memory().allocate(arena, Use.WEIGHTS, 100);
                device.memory().allocate(arena, Use.KEYS_AND_VALUES, 28);
                assertThat(StandIn.count("bytes")).isEqualTo(128);
                assertThat(device.memory().held(Use.WEIGHTS)).isEqualTo(100);
            }

            assertThat(StandIn.count("bytes")).isZero();
            assertThat(device.memory().held(Use.WEIGHTS)).isZero();
        }
    }

    @Test
    void aDeviceDoesNotEndBeforeItsMemory() {
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared()) {
            device.memory().allocate(arena, Use.KEYS_AND_VALUES, 5);

            assertThatThrownBy(device::close)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("device 0 (Stand-in 0) is closed while memory is in use:"
                            + " weights 0 bytes, KV 5 bytes, workspace 0 bytes");
        }
    }

    @Test
    void memoryOfTheHostIsNoArgument() {
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared();
                CudaStream stream = device.stream()) {
            MemorySegment own = device.memory().allocate(arena, Use.KEYS_AND_VALUES, 64);
            MemorySegment host = arena.allocate(64);

            stream.arguments().pointer(own).pointer(own.asSlice(60, 4)).pointer(own.asSlice(64, 0));
            assertThatThrownBy(() -> stream.arguments().pointer(host))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("does not lie in the memory of device 0 (Stand-in 0)");
            assertThatThrownBy(() -> stream.upload(host, arena.allocate(64)))
                    .hasMessageContaining("does not lie in the memory of device 0 (Stand-in 0)");
            assertThatThrownBy(() -> stream.upload(MemorySegment.ofArray(new byte[64]), own))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("lies on the Java heap");
        }
    }

    @Test
    void twoDevicesWorkWithMemoriesOfTheirOwn() {
        StandIn.set("devices", 2);
        try (CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1);
                Arena arena = Arena.ofShared();
                RowOperations onFirst = new RowOperations(first);
                RowOperations onSecond = new RowOperations(second);
                CudaStream stream = first.stream();
                CudaStream other = second.stream()) {
            Tensor a = CudaStreamTest.floats(first, arena, stream, 1f);
            Tensor b = CudaStreamTest.floats(second, arena, other, 10f);
            onFirst.add(stream, a, a, new StepRows(four(first, arena, stream), 4));
            onSecond.add(other, b, b, new StepRows(four(second, arena, other), 4));

            assertThat(CudaStreamTest.read(arena, other, b)).containsOnly(20f);
            assertThat(CudaStreamTest.read(arena, stream, a)).containsOnly(2f);
            assertThatThrownBy(() -> stream.arguments().pointer(b.memory()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("does not lie in the memory of device 0 (Stand-in 0)");
            assertThatThrownBy(() -> onSecond.add(stream, a, a, new StepRows(four(first, arena, stream), 4)))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("add was loaded on another device");
        }
    }

    private static MemorySegment four(CudaDevice device, Arena arena, CudaStream stream) {
        MemorySegment count = CudaStreamTest.ints(device, arena, 1);
        stream.upload(arena.allocateFrom(ValueLayout.JAVA_INT, 4), count);
        return count;
    }

    @Test
    void aHostThatReadsTheMemoryOfADeviceCrashes() throws Exception {
        Ended ended = child("read");

        assertThat(ended.output()).contains("about to read").contains("SIGSEGV").doesNotContain("has read");
        assertThat(ended.status()).isNotZero();
    }

    @Test
    void aPlantedLibraryIsNotLoaded() throws Exception {
        Path planted = folder.resolve("libJCudaDriver-12.6.0-linux-x86_64.so");
        Files.writeString(planted, "not a library");

        Ended ended = child("allocate");

        assertThat(ended.output()).contains("has allocated");
        assertThat(ended.status()).isZero();
        assertThat(planted).hasContent("not a library");
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left.filter(file -> !file.getFileName().toString().startsWith("hsperfdata")))
                    .containsExactly(planted);
        }
    }

    private record Ended(int status, String output) {}

    /** Runs {@link Child} in a JVM whose temporary files lie in the folder. */
    private Ended child(String task) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Djava.io.tmpdir=" + folder,
                "-XX:-CreateCoredumpOnCrash",
                "-XX:+ErrorFileToStdout",
                "-cp",
                System.getProperty("java.class.path"),
                Child.class.getName(),
                task));
        Path output = folder.resolveSibling(folder.getFileName() + ".output");
        int status = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start()
                .waitFor();
        String text = Files.readString(output);
        Files.delete(output);
        return new Ended(status, text);
    }

    /** Takes memory of a device, and reads it from the host if told so. */
    static final class Child {
        private Child() {}

        public static void main(String[] arguments) {
            try (CudaDevice device = new CudaDevice(0);
                    Arena arena = Arena.ofShared()) {
                MemorySegment memory = device.memory().allocate(arena, Use.WORKSPACE, 64);
                if (arguments[0].equals("read")) {
                    System.out.println("about to read");
                    System.out.println("has read " + memory.get(ValueLayout.JAVA_INT, 0));
                }
                System.out.println("has allocated");
            }
        }
    }
}
