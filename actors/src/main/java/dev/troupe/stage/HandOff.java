package dev.troupe.stage;

import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Rows;
import java.util.List;

/**
 * The hidden state and the metadata of a step, from a rank of one stage to a rank of the next.
 *
 * @param batch what to compute; its epoch and step are the message's
 * @param failedTokens token rows for which a rank met a value that is not finite
 * @param work what the step cost the stages before, ascending
 * @param firstRow first token row of this piece; a large tensor is split in several
 * @param values {@code [rows, hidden]}
 */
public record HandOff(StepBatch batch, Ints failedTokens, List<StageWork> work, int firstRow, Rows values)
        implements TensorMessage {
    public HandOff {
        work = List.copyOf(work);
    }

    @Override
    public Epoch epoch() {
        return batch.epoch();
    }

    @Override
    public long step() {
        return batch.step();
    }
}
