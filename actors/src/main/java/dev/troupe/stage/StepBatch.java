package dev.troupe.stage;

import java.util.List;

/**
 * What one step (one micro-batch) computes on every rank of every stage.
 *
 * @param epoch fences: ranks of another epoch drop it
 * @param step counts up from 1 within the epoch; steps never overtake
 * @param entries the sequences' parts
 * @param released sequences the ranks forget before this step
 */
public record StepBatch(Epoch epoch, long step, List<StepEntry> entries, List<Long> released) {
    public StepBatch {
        entries = List.copyOf(entries);
        released = List.copyOf(released);
    }

    /** Tokens to compute in all. */
    public int tokens() {
        return entries.stream().mapToInt(entry -> entry.tokens().size()).sum();
    }
}
