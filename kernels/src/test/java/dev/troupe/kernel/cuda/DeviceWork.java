package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;

/** The stand-in's first device with a stream, and tensors on the host and on it, which all end together. */
final class DeviceWork implements AutoCloseable {
    final Arena arena = Arena.ofShared();
    final CudaDevice device = new CudaDevice(0);
    final CudaStream stream = device.stream();
    private final Deque<AutoCloseable> closed = new ArrayDeque<>();

    interface Check {
        void run(DeviceWork work) throws Exception;
    }

    /** Runs a check once under every order of threads that the stand-in has. */
    static void everySchedule(Check check) throws Exception {
        for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
            StandIn.set("schedule", schedule);
            try (DeviceWork work = new DeviceWork()) {
                check.run(work);
            }
        }
    }

    /** Something that is closed before the stream, the last first. */
    <T extends AutoCloseable> T closing(T thing) {
        closed.push(thing);
        return thing;
    }

    MemorySegment upload(MemorySegment host) {
        MemorySegment memory = device.memory().allocate(arena, Use.WORKSPACE, host.byteSize());
        stream.upload(arena.allocate(host.byteSize()).copyFrom(host), memory);
        return memory;
    }

    Tensor upload(Tensor host) {
        return new Tensor(host.type(), host.rows(), host.columns(), upload(host.memory()));
    }

    StepRows rows(int count, int bucket) {
        return new StepRows(upload(arena.allocateFrom(ValueLayout.JAVA_INT, count)), bucket);
    }

    MemorySegment download(MemorySegment onDevice) {
        MemorySegment host = arena.allocate(onDevice.byteSize());
        stream.download(onDevice, host);
        stream.synchronize();
        return host;
    }

    int[] ints(MemorySegment onDevice) {
        return download(onDevice).toArray(ValueLayout.JAVA_INT);
    }

    void requireEqual(String what, Tensor onDevice, Tensor wanted) {
        Tensor got = new Tensor(DType.F32, wanted.rows(), wanted.columns(), download(onDevice.memory()));
        for (int r = 0; r < wanted.rows(); r++) {
            for (int c = 0; c < wanted.columns(); c++) {
                int bits = Float.floatToRawIntBits(got.get(r, c));
                if (bits != Float.floatToRawIntBits(wanted.get(r, c))) {
                    assertThat(got.get(r, c))
                            .as("%s: row %d, column %d", what, r, c)
                            .isEqualTo(wanted.get(r, c));
                    throw new AssertionError("%s: row %d, column %d has bits %08x".formatted(what, r, c, bits));
                }
            }
        }
    }

    @Override
    public void close() {
        for (AutoCloseable thing : closed) {
            try {
                thing.close();
            } catch (Exception e) {
                throw new AssertionError("%s cannot be closed".formatted(thing), e);
            }
        }
        stream.close();
        arena.close();
        device.close();
    }
}
