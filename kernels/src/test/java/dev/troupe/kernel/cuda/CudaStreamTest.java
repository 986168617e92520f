package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaEvent;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaGraph;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

@StandInTest
class CudaStreamTest {
    private static final int ROWS = 4;
    private static final int COLUMNS = 3;

    @Test
    void aGraphServesEveryCountOfItsBucket() {
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared();
                RowOperations operations = new RowOperations(device);
                CudaStream stream = device.stream()) {
            MemorySegment count = ints(device, arena, 1);
            Tensor a = floats(device, arena, stream, 0f);
            Tensor b = floats(device, arena, stream, 1f);
            try (CudaGraph graph = stream.capture(() -> {
                operations.add(stream, a, b, new StepRows(count, ROWS));
                operations.add(stream, a, b, new StepRows(count, ROWS));
            })) {
                assertThat(read(arena, stream, a)).containsOnly(0f);

                replay(arena, stream, graph, count, 1);
                replay(arena, stream, graph, count, 3);
            }

            assertThat(read(arena, stream, a)).containsExactly(4f, 4f, 4f, 2f, 2f, 2f, 2f, 2f, 2f, 0f, 0f, 0f);
        }
    }

    @Test
    void waitingInsideACaptureIsRefused() {
        try (CudaDevice device = new CudaDevice(0);
                CudaStream stream = device.stream()) {
            assertThatThrownBy(() -> stream.capture(stream::synchronize))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900)");

            stream.synchronize();
        }
    }

    @Test
    void takingMemoryOrLoadingAModuleInsideACaptureIsRefused() {
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared();
                CudaStream stream = device.stream()) {
            assertThatThrownBy(() -> stream.capture(() -> ints(device, arena, 1)))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("memory cannot be taken or given back by a thread that captures");
            byte[] image = ".version 8.0 .entry add(".getBytes(StandardCharsets.US_ASCII);
            assertThatThrownBy(() -> stream.capture(() -> device.load(image)))
                    .isInstanceOf(CudaException.class)
                    .hasMessageContaining("a module cannot be loaded by a thread that captures");

            ints(device, arena, 1);
        }
    }

    @Test
    void aStreamWaitsForWhatAnEventMarksInAnother() {
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared();
                CudaStream first = device.stream();
                CudaStream second = device.stream();
                CudaEvent event = new CudaEvent(device)) {
            MemorySegment value = ints(device, arena, 1);
            MemorySegment got = arena.allocate(ValueLayout.JAVA_INT);
            first.upload(arena.allocateFrom(ValueLayout.JAVA_INT, 7), value);
            first.record(event);
            assertThat(event.isDone()).isFalse();

            second.await(event);
            second.download(value, got);
            second.synchronize();

            assertThat(got.get(ValueLayout.JAVA_INT, 0)).isEqualTo(7);
            assertThat(event.isDone()).isTrue();
            event.synchronize();
        }
    }

    @Test
    void anEventSaysWhenItIsAskedThatItsDeviceHasFailed() {
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared();
                RowOperations operations = new RowOperations(device);
                CudaStream stream = device.stream();
                CudaEvent done = new CudaEvent(device);
                CudaEvent behind = new CudaEvent(device)) {
            MemorySegment count = ints(device, arena, 1);
            Tensor a = floats(device, arena, stream, 0f);
            stream.record(done);
            StandIn.set("fail_after", 1);
            operations.add(stream, a, a, new StepRows(count, ROWS));
            stream.record(behind);
            done.synchronize();
            assertThat(done.isDone()).isTrue();
            assertThat(behind.isDone()).isFalse();

            assertThatThrownBy(stream::synchronize).isInstanceOf(CudaException.class);

            for (CudaEvent event : new CudaEvent[] {done, behind}) {
                assertThatThrownBy(event::isDone)
                        .isInstanceOf(CudaException.class)
                        .hasMessage(
                                "cuEventQuery: CUDA_ERROR_LAUNCH_FAILED (719), kernel add: the stand-in is told to fail");
            }
            StandIn.heal();
        }
    }

    @Test
    void whatTheHostReadsTooEarlyIsNotThere() {
        try (CudaDevice device = new CudaDevice(0);
                Arena arena = Arena.ofShared();
                CudaStream stream = device.stream()) {
            MemorySegment value = ints(device, arena, 1);
            MemorySegment pinned = device.pinned(arena, Integer.BYTES);
            stream.fill(value, (byte) 1);

            stream.download(value, pinned);
            assertThat(pinned.get(ValueLayout.JAVA_INT, 0)).isZero();
            stream.synchronize();

            assertThat(pinned.get(ValueLayout.JAVA_INT, 0)).isEqualTo(0x01010101);
        }
    }

    @Test
    void aKernelThatIsNotThereIsNamed() {
        try (CudaDevice device = new CudaDevice(0);
                CudaModule module = KernelImages.load(device, "add")) {
            assertThatThrownBy(() -> module.kernel("subtract"))
                    .isInstanceOf(CudaException.class)
                    .hasMessage(
                            "kernel subtract: CUDA_ERROR_NOT_FOUND (500), there is no kernel subtract in the image");
            assertThatThrownBy(() -> module.kernel("swiglu"))
                    .isInstanceOf(CudaException.class)
                    .hasMessage("kernel swiglu: CUDA_ERROR_NOT_FOUND (500), there is no kernel swiglu in the image");
        }
    }

    @Test
    void argumentsThatAreNotTheKernelsAreRefused() {
        try (CudaDevice device = new CudaDevice(0);
                CudaModule module = KernelImages.load(device, "add");
                CudaStream stream = device.stream()) {
            stream.arguments().nothing().nothing().number(1);

            assertThatThrownBy(() -> stream.launch(module.kernel("add"), 1, 1, 0))
                    .isInstanceOf(CudaException.class)
                    .hasMessage(
                            "launch of add with 1 x 1 x 1 blocks on device 0 (Stand-in 0): CUDA_ERROR_INVALID_VALUE (1),"
                                    + " add takes 32 bytes of arguments, not 24");
        }
    }

    @Test
    void whatIsCompiledForAnotherDeviceIsLeftForThePtx() {
        StandIn.set("capability", 89);
        try (CudaDevice device = new CudaDevice(0);
                CudaModule module = KernelImages.load(device, "add")) {
            assertThat(module.kernel("add").threads()).isEqualTo(256);
        }

        StandIn.set("capability", 90);
        StandIn.set("cubins", 0);
        try (CudaDevice device = new CudaDevice(0);
                CudaModule module = KernelImages.load(device, "add")) {
            assertThat(module.kernel("add").threads()).isEqualTo(256);
        }
    }

    static MemorySegment ints(CudaDevice device, Arena arena, int count) {
        return device.memory().allocate(arena, Use.WORKSPACE, (long) Integer.BYTES * count);
    }

    private static void replay(Arena arena, CudaStream stream, CudaGraph graph, MemorySegment count, int rows) {
        stream.upload(arena.allocateFrom(ValueLayout.JAVA_INT, rows), count);
        stream.launch(graph);
    }

    static Tensor floats(CudaDevice device, Arena arena, CudaStream stream, float value) {
        Tensor host = Tensor.floats(arena, ROWS, COLUMNS);
        for (int r = 0; r < ROWS; r++) {
            for (int c = 0; c < COLUMNS; c++) {
                host.set(r, c, value);
            }
        }
        MemorySegment memory =
                device.memory().allocate(arena, Use.WORKSPACE, host.memory().byteSize());
        stream.upload(host.memory(), memory);
        return new Tensor(DType.F32, ROWS, COLUMNS, memory);
    }

    static float[] read(Arena arena, CudaStream stream, Tensor tensor) {
        MemorySegment host = arena.allocate(tensor.memory().byteSize());
        stream.download(tensor.memory(), host);
        stream.synchronize();
        return host.toArray(ValueLayout.JAVA_FLOAT);
    }
}
