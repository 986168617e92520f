package dev.troupe.kernel.cuda;

import static dev.troupe.kernel.cuda.DeviceWork.everySchedule;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The operations on tokens have the bits of the plain loops on the stand-in driver. */
@StandInTest
class TokenOperationsTest {
    private final Kernels expected = new ReferenceKernels();
    private final Random random = new Random(12);

    @ParameterizedTest
    @ValueSource(ints = {2, 16, 24, 80, 96, 128, 256})
    void rotatesHeadsByTheirTokensPositions(int headDim) throws Exception {
        everySchedule(work -> {
            TokenOperations operations = work.closing(new TokenOperations(work.stream));
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));
            batch.load(batch(3, 9, 10), 4);
            Tensor x = Samples.floats(work.arena, 4, 3 + 4 * headDim, random);
            RopeTable table = new RopeTable(
                    Samples.floats(work.arena, 11, headDim / 2, random),
                    Samples.floats(work.arena, 11, headDim / 2, random));
            Tensor onDevice = work.upload(x);
            RopeTable tableOnDevice = new RopeTable(work.upload(table.cosines()), work.upload(table.sines()));

            operations.rope(onDevice, 3, 3, headDim, tableOnDevice, batch);

            expected.rope(x, 3, 3, headDim, table, batch.host());
            work.requireEqual("rope", onDevice, x);
        });
    }

    @Test
    void refusesAPositionThatTheTableHasNot() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            TokenOperations operations = work.closing(new TokenOperations(work.stream));
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));
            batch.load(batch(11), 1);
            Tensor x = work.upload(Samples.floats(work.arena, 1, 4, random));
            RopeTable table = new RopeTable(
                    work.upload(Samples.floats(work.arena, 11, 2, random)),
                    work.upload(Samples.floats(work.arena, 11, 2, random)));

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> operations.rope(x, 0, 1, 4, table, batch))
                    .withMessageContaining("largest position=11");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 100, 301})
    void addsABiasToRows(int n) throws Exception {
        everySchedule(work -> {
            TokenOperations operations = work.closing(new TokenOperations(work.stream));
            Tensor a = Samples.floats(work.arena, 4, n, random);
            Tensor bias = Samples.floats(work.arena, 1, n, random);
            Tensor onDevice = work.upload(a);

            operations.addBias(onDevice, work.upload(bias), work.rows(3, 4));

            expected.addBias(a, bias, 3);
            work.requireEqual("addBias", onDevice, a);
        });
    }

    @Test
    void gathersRowsAgainAndAgain() throws Exception {
        everySchedule(work -> {
            TokenOperations operations = work.closing(new TokenOperations(work.stream));
            Tensor x = Samples.floats(work.arena, 5, 300, random);
            Tensor onDevice = work.upload(x);
            for (int[] rows : new int[][] {{4, 0, 0}, {2}, {1, 3}}) {
                Tensor y = Samples.floats(work.arena, 4, 300, random);
                Tensor gathered = work.upload(y);

                operations.gatherRows(onDevice, rows, gathered);
                operations.gatherRows(onDevice, new int[] {3}, work.upload(y));

                expected.gatherRows(x, rows, y);
                work.requireEqual("gatherRows", gathered, y);
            }
        });
    }

    @Test
    void marksTheRowsWithAValueThatIsNotFinite() throws Exception {
        everySchedule(work -> {
            TokenOperations operations = work.closing(new TokenOperations(work.stream));
            Tensor x = Samples.floats(work.arena, 7, 700, random);
            x.set(0, 0, Float.MAX_VALUE);
            x.set(1, 699, Float.NaN);
            x.set(3, 300, Float.POSITIVE_INFINITY);
            x.set(4, 1, Float.NEGATIVE_INFINITY);
            x.set(6, 1, Float.NaN);
            MemorySegment failed = work.upload(work.arena.allocateFrom(ValueLayout.JAVA_INT, 0, 0, 1, 0, 0, 0, 0));

            operations.markNonFinite(work.upload(x), failed, work.rows(6, 7));

            assertThat(work.ints(failed)).containsExactly(0, 1, 1, 1, 1, 0, 0);
        });
    }

    @Test
    void makesMarkedRowsNotANumber() throws Exception {
        everySchedule(work -> {
            TokenOperations operations = work.closing(new TokenOperations(work.stream));
            Tensor x = Samples.floats(work.arena, 5, 700, random);
            Tensor onDevice = work.upload(x);
            MemorySegment failed = work.upload(work.arena.allocateFrom(ValueLayout.JAVA_INT, 1, 0, 1, 0, 1));
            TokenFlags flags = TokenFlags.onHost();
            flags.mark(0);
            flags.mark(2);

            operations.poisonRows(onDevice, failed, work.rows(4, 5));

            expected.poisonRows(x, 4, flags);
            work.requireEqual("poisonRows", onDevice, x);
        });
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void embedsRowsOfEveryType(DType type) throws Exception {
        everySchedule(work -> {
            TokenOperations operations = work.closing(new TokenOperations(work.stream));
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));
            Tensor table = Samples.weights(work.arena, type, 9, 768, random);
            for (int[] ids : new int[][] {{8, 0, 3}, {5, 5, 7, 1}}) {
                batch.load(withIds(ids), 4);
                Tensor y = Samples.floats(work.arena, 4, 768, random);
                Tensor onDevice = work.upload(y);

                operations.embed(table, batch, onDevice);

                expected.embed(table, batch.host(), y);
                work.requireEqual(type.label(), onDevice, y);
            }
        });
    }

    /** Tokens at these positions, neighbouring ones of one sequence. */
    private static TokenBatch batch(int... positions) {
        int[] sequences = new int[positions.length];
        for (int t = 1; t < positions.length; t++) {
            sequences[t] = sequences[t - 1] + (positions[t] == positions[t - 1] + 1 ? 0 : 1);
        }
        return new TokenBatch(new int[positions.length], positions, sequences, new int[positions.length][1]);
    }

    private static TokenBatch withIds(int... ids) {
        int[] positions = new int[ids.length];
        for (int t = 0; t < ids.length; t++) {
            positions[t] = t;
        }
        return new TokenBatch(ids, positions, new int[ids.length], new int[1][1]);
    }
}
