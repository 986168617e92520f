package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.kernel.TokenBatch;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A step's tokens in the memory of the stand-in's device. */
@StandInTest
class DeviceBatchTest {
    @Test
    void hasPositionsAndBlockTablesOfSeveralSequences() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));

            batch.load(
                    new TokenBatch(new int[4], new int[] {7, 8, 0, 40}, new int[] {0, 0, 2, 1}, new int[][] {
                        {5}, {9, 3, 8}, {2, 4}
                    }),
                    8);

            assertThat(work.ints(batch.rows().count())).containsExactly(4);
            assertThat(batch.rows().bucket()).isEqualTo(8);
            assertThat(Arrays.copyOf(work.ints(batch.positions()), 4)).containsExactly(7, 8, 0, 40);
            assertThat(Arrays.copyOf(work.ints(batch.firstBlocks()), 4)).containsExactly(0, 0, 4, 1);
            assertThat(Arrays.copyOf(work.ints(batch.blockTables()), 6)).containsExactly(5, 9, 3, 8, 2, 4);
        }
    }

    @Test
    void growsAndKeepsItsPlaceForSmallerOnes() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));
            batch.load(prompt(3000, 50), 3000);
            long place = batch.positions().address();

            batch.load(prompt(2, 1), 2);

            assertThat(batch.positions().address()).isEqualTo(place);
            assertThat(work.ints(batch.rows().count())).containsExactly(2);
            batch.load(prompt(3000, 50), 3000);
            assertThat(work.ints(batch.positions())[2999]).isEqualTo(2999);
            assertThat(Arrays.copyOf(work.ints(batch.blockTables()), 50)[49]).isEqualTo(149);
        }
    }

    @Test
    void doesNotOverwriteWhatTheDeviceHasNotCopiedYet() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));
            batch.load(prompt(5, 1), 8);
            int[] early = new int[1];
            MemorySegment copy = work.upload(MemorySegment.ofArray(early));
            work.stream.copy(batch.rows().count(), copy);

            batch.load(prompt(7, 1), 8);

            assertThat(work.ints(copy)).containsExactly(5);
            assertThat(work.ints(batch.rows().count())).containsExactly(7);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "128, 1", "129, 2", "257, 4", "600, 8"})
    void countsSpansByPowersOfTwo(int tokens, int spans) throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));

            batch.load(prompt(tokens, 1), tokens);

            assertThat(batch.spans()).isEqualTo(spans);
        }
    }

    @Test
    void refusesABucketThatIsTooSmall() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            DeviceBatch batch = work.closing(new DeviceBatch(work.stream));

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> batch.load(prompt(3, 1), 2))
                    .withMessage("bucket = 2 is less than the 3 tokens");
        }
    }

    /** One sequence from its start. */
    private static TokenBatch prompt(int tokens, int blocks) {
        int[] positions = new int[tokens];
        Arrays.setAll(positions, t -> t);
        int[] table = new int[blocks];
        Arrays.setAll(table, b -> 100 + b);
        return new TokenBatch(new int[tokens], positions, new int[tokens], new int[][] {table});
    }
}
