package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Work that comes again on the stand-in's device: done, noted, replayed. */
@StandInTest
class RepeatedWorkTest {
    private static final int ROWS = 8;

    private final TokenBatch three = batch(3);

    @Test
    void isDoneThenNotedThenReplayed() {
        try (Device on = new Device(true)) {
            List<Integer> runs = new ArrayList<>();
            Runnable work = () -> {
                on.kernels.add(on.a, on.b, 3);
                runs.add(runs.size());
            };

            for (int i = 1; i <= 5; i++) {
                on.kernels.repeat("work", 3, null, work);

                assertThat(on.kernels.memory().read(on.a, 3).toArray()).containsOnly(i);
            }

            assertThat(runs).hasSize(2);
            assertThat(on.kernels.graphCaptures()).isEqualTo(1);
            assertThat(on.kernels.graphReplays()).isEqualTo(3);
            assertThat(StandIn.count("graphs")).isEqualTo(1);
        }
    }

    @Test
    void servesEveryCountOfItsBucket() {
        try (Device on = new Device(true)) {
            int[] counts = {3, 4, 3, 4, 4};
            for (int count : counts) {
                on.kernels.repeat("work", count, null, () -> on.kernels.add(on.a, on.b, count));
            }

            Floats sums = on.kernels.memory().read(on.a, ROWS);
            assertThat(sums.get(2, 0)).isEqualTo(5);
            assertThat(sums.get(3, 0)).isEqualTo(3);
            assertThat(sums.get(4, 0)).isZero();
            assertThat(on.kernels.graphCaptures()).isEqualTo(1);
            on.kernels.repeat("work", 5, null, () -> on.kernels.add(on.a, on.b, 5));
            on.kernels.repeat("other", 4, null, () -> on.kernels.add(on.a, on.b, 4));
            assertThat(on.kernels.graphReplays()).isEqualTo(3);
        }
    }

    @Test
    void isDoneAsItIsWithoutGraphsAndForManyRows() {
        try (Device off = new Device(false);
                Device on = new Device(true)) {
            for (int i = 0; i < 3; i++) {
                off.kernels.repeat("work", 3, null, () -> off.kernels.add(off.a, off.b, 3));
                on.kernels.repeat("work", 65, null, () -> on.kernels.add(on.a, on.b, 3));
            }

            for (Device device : List.of(off, on)) {
                assertThat(device.kernels.memory().read(device.a, 3).toArray()).containsOnly(3);
                assertThat(device.kernels.graphCaptures()).isZero();
            }
            assertThat(off.kernels.repeats(3)).isFalse();
            assertThat(on.kernels.repeats(64)).isTrue();
            assertThat(on.kernels.repeats(65)).isFalse();
            assertThat(on.kernels.repeats(0)).isFalse();
        }
    }

    @Test
    void isNotedAnewWhereMemoryWasGivenBack() {
        try (Device on = new Device(true)) {
            Runnable work = () -> on.kernels.add(on.a, on.b, 3);
            for (int i = 0; i < 3; i++) {
                on.kernels.repeat("work", 3, null, work);
            }

            try (Arena other = Arena.ofShared()) {
                on.kernels.memory().allocate(other, 100, Use.WORKSPACE);
            }
            for (int i = 0; i < 3; i++) {
                on.kernels.repeat("work", 3, null, work);
            }

            assertThat(on.kernels.memory().read(on.a, 3).toArray()).containsOnly(6);
            assertThat(on.kernels.graphCaptures()).isEqualTo(2);
            assertThat(on.kernels.graphReplays()).isEqualTo(2);
            assertThat(StandIn.count("graphs")).isEqualTo(1);
        }
    }

    @Test
    void findsABatchWhereALargerOneHasMovedIt() {
        Kernels expected = new ReferenceKernels();
        try (Device on = new Device(true);
                Arena arena = Arena.ofConfined()) {
            Tensor x = Samples.floats(arena, 128, 4, new Random(2));
            Tensor cosines = Samples.floats(arena, 128, 2, new Random(3));
            RopeTable table = new RopeTable(cosines, cosines);
            Tensor onDevice = on.kernels.memory().place(on.arena, x);
            Tensor placed = on.kernels.memory().place(on.arena, cosines);
            RopeTable tableOnDevice = new RopeTable(placed, placed);

            for (int tokens : new int[] {2, 1, 2, 100, 2, 2, 2}) {
                TokenBatch batch = batch(tokens);
                on.kernels.repeat(
                        "rope", tokens, batch, () -> on.kernels.rope(onDevice, 0, 1, 4, tableOnDevice, batch));
                expected.rope(x, 0, 1, 4, table, batch);
            }

            assertThat(on.kernels.memory().read(onDevice, 128)).isEqualTo(x.copyRows(0, 128));
            assertThat(on.kernels.graphCaptures()).isEqualTo(2);
        }
    }

    @Test
    void givesUpWhatWasNotUsedForLongest() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            RepeatedWork repeated = work.closing(new RepeatedWork(work.stream, 5));
            MemorySegment memory = work.device.memory().allocate(work.arena, Use.WORKSPACE, 16);
            Consumer<String> twoFills = name -> repeated.run(new RepeatedWork.Key(name, 1, 0, 64), () -> {
                work.stream.fill(memory, (byte) 1);
                work.stream.fill(memory, (byte) 2);
            });
            for (String name : List.of("a", "a", "b", "b", "a")) {
                twoFills.accept(name);
            }
            assertThat(repeated.replays()).isEqualTo(1);

            twoFills.accept("c");
            twoFills.accept("c");

            assertThat(StandIn.count("graphs")).isEqualTo(2);
            twoFills.accept("a");
            assertThat(repeated.replays()).isEqualTo(2);
            twoFills.accept("b");
            assertThat(repeated.captures()).isEqualTo(3);
            work.stream.synchronize();
        }
    }

    @ParameterizedTest
    @MethodSource("whatNeedsTheHost")
    void refusesWhatNeedsTheHost(String operation) {
        try (Device on = new Device(true)) {
            Runnable wrong =
                    () -> Objects.requireNonNull(operations(on).get(operation)).run();
            Runnable work = () -> on.kernels.add(on.a, on.b, 3);
            String message =
                    "%s cannot be part of work that is repeated: it needs the host every time".formatted(operation);

            assertThatIllegalStateException()
                    .isThrownBy(() -> on.kernels.repeat("work", 3, three, wrong))
                    .withMessage(message);
            on.kernels.repeat("work", 3, three, work);
            assertThatIllegalStateException()
                    .as("while it is noted")
                    .isThrownBy(() -> on.kernels.repeat("work", 3, three, wrong))
                    .withMessage(message);
            on.kernels.repeat("work", 3, three, work);
            Objects.requireNonNull(operations(on).get(operation)).run();

            assertThat(on.kernels.memory().read(on.b, 3).toArray()).containsOnly(1);
            assertThat(on.kernels.graphCaptures()).isEqualTo(1);
        }
    }

    static Stream<String> whatNeedsTheHost() {
        return Stream.of(
                "embed",
                "gatherRows",
                "argmax",
                "topK",
                "reading memory",
                "writing memory",
                "taking memory",
                "repeat",
                "another batch of tokens");
    }

    private Map<String, Runnable> operations(Device on) {
        Map<String, Runnable> operations = new TreeMap<>();
        operations.put("embed", () -> on.kernels.embed(Tensor.floats(on.arena, 1, Device.COLUMNS), three, on.a));
        operations.put("gatherRows", () -> on.kernels.gatherRows(on.b, new int[] {2}, on.a));
        operations.put("argmax", () -> on.kernels.argmax(on.a, 3, new int[3]));
        operations.put("topK", () -> on.kernels.topK(on.a, 0, new int[2]));
        operations.put("reading memory", () -> on.flags.marked());
        operations.put("writing memory", () -> on.flags.mark(7));
        operations.put("taking memory", () -> on.kernels.flags(on.arena, 3));
        operations.put("repeat", () -> on.kernels.repeat("inner", 3, null, () -> {}));
        operations.put("another batch of tokens", () -> on.kernels.rope(on.a, 0, 1, 2, on.table(), batch(3)));
        return operations;
    }

    @Test
    void refusesAnOperationOnAnotherNumberOfRows() {
        try (Device on = new Device(true)) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> on.kernels.repeat("work", 3, null, () -> on.kernels.add(on.a, on.b, 4)))
                    .withMessage("work that is repeated for 3 rows has an operation on 4");
        }
    }

    /** One sequence from its start. */
    private static TokenBatch batch(int tokens) {
        int[] positions = new int[tokens];
        for (int t = 0; t < tokens; t++) {
            positions[t] = t;
        }
        return new TokenBatch(new int[tokens], positions, new int[tokens], new int[][] {{0}});
    }

    /** Kernels with a tensor of zeros and one of ones. */
    private static final class Device implements AutoCloseable {
        static final int COLUMNS = 6;

        final Arena arena = Arena.ofShared();
        final CudaDevice device = new CudaDevice(0);
        final CudaKernels kernels;
        final Tensor a;
        final Tensor b;
        final TokenFlags flags;

        Device(boolean graphs) {
            kernels = new CudaKernels(device, graphs);
            a = kernels.memory().floats(arena, ROWS, COLUMNS);
            b = kernels.memory().floats(arena, ROWS, COLUMNS);
            flags = kernels.flags(arena, ROWS);
            float[] ones = new float[ROWS * COLUMNS];
            Arrays.fill(ones, 1f);
            kernels.memory().write(b, new Floats(ROWS, COLUMNS, ones));
        }

        RopeTable table() {
            return new RopeTable(
                    new Tensor(DType.F32, 8, 1, b.memory().asSlice(0, 32)),
                    new Tensor(DType.F32, 8, 1, b.memory().asSlice(0, 32)));
        }

        @Override
        public void close() {
            kernels.close();
            arena.close();
            device.close();
        }
    }
}
