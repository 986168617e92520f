package dev.troupe.stage;

import dev.troupe.model.ShardStep;
import dev.troupe.tensor.Floats;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The sum of one prompt's hidden states after the final norm, position after position, in double precision. It is kept on rank 0
 * of the last stage alone, and steps end there in their order: so it has the same bits for any chunks, batches and split. Owned
 * by the shard's thread.
 */
final class HiddenMean {
    /** Rows of hidden states in one array. */
    private static final int ROWS_AT_ONCE = 16;

    private final int promptLength;
    private double[] sums = new double[0];
    private int count;

    /** @param promptLength positions from here on are not added */
    HiddenMean(int promptLength) {
        this.promptLength = promptLength;
    }

    /**
     * Adds the next position's state.
     *
     * @param states {@code [any, hidden]}
     * @param row which row of them
     * @throws IllegalStateException if one before it has not been added
     */
    void add(int position, Floats states, int row) {
        if (position >= promptLength || position < count) {
            return;
        }
        if (position > count) {
            throw new IllegalStateException(
                    "position %d follows %d summed ones; the mean of hidden states needs all from the first"
                            .formatted(position, count));
        }
        if (count == 0) {
            sums = new double[states.columns()];
        }
        for (int column = 0; column < sums.length; column++) {
            sums[column] += states.get(row, column);
        }
        count++;
    }

    /** The mean of what has been added, each value rounded once, {@code [1, hidden]}. */
    Floats value() {
        float[] mean = new float[sums.length];
        for (int column = 0; column < mean.length; column++) {
            mean[column] = (float) (sums[column] / count);
        }
        return new Floats(1, mean.length, mean);
    }

    /**
     * Adds what a step has computed.
     *
     * @param wanted rows of the batch after which the mean is wanted
     * @return the means, by row of the batch
     */
    static Map<Integer, Floats> fold(ShardStep step, List<SequenceTable.SummedRows> summed, BitSet wanted) {
        Map<Integer, Floats> means = new HashMap<>();
        for (SequenceTable.SummedRows rows : summed) {
            for (int from = 0; from < rows.count(); from += ROWS_AT_ONCE) {
                int to = Math.min(rows.count(), from + ROWS_AT_ONCE);
                Floats states = step.finalHidden(
                        IntStream.range(rows.row() + from, rows.row() + to).toArray());
                for (int i = from; i < to; i++) {
                    rows.mean().add(rows.position() + i, states, i - from);
                    if (wanted.get(rows.row() + i)) {
                        means.put(rows.row() + i, rows.mean().value());
                    }
                }
            }
        }
        return means;
    }
}
