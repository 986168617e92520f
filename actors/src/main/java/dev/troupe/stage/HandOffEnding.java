package dev.troupe.stage;

import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Rows;
import java.util.List;

/**
 * The end of a step on a rank of any stage but the last. Every rank holds the whole hidden state; rank r of the next
 * stage is fed by rank r mod R of this one.
 *
 * @param stage 0-based, own
 * @param rank own
 * @param ranks of this stage
 * @param nextRanks of the next stage
 */
record HandOffEnding(int stage, int rank, int ranks, int nextRanks, StepOutput output, ShardTally tally)
        implements OpenStep.Ending {
    @Override
    public void end(OpenStep step) {
        if (rank >= nextRanks) {
            return;
        }
        Rows hidden = step.compute().hidden();
        hidden.expectReaders((nextRanks - rank + ranks - 1) / ranks);
        Ints failed = Ints.of(step.failedTokens().stream().toArray());
        for (int next = rank; next < nextRanks; next += ranks) {
            step.addBytesSent(4L * hidden.rows() * hidden.columns());
        }
        List<StageWork> work = step.work(stage);
        for (int next = rank; next < nextRanks; next += ranks) {
            output.toNextStage(next, new HandOff(step.batch(), failed, work, 0, hidden));
            tally.handOffsSent++;
        }
    }
}
