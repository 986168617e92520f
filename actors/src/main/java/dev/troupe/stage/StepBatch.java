package dev.troupe.stage;

import java.util.List;

/**
 * What one step (one micro-batch) computes on every rank of every stage.
 *
 * @param epoch fences: ranks of another epoch drop it
 * @param step counts up from 1 within the epoch; steps never overtake
 * @param entries the sequences' parts
 * @param released sequences the ranks forget before this step
 * @param retired the newest step whose result, and those of all before it, has reached the scheduler; 0 for none. Ranks
 *     then drop what they kept to answer rank 0
 */
public record StepBatch(Epoch epoch, long step, List<StepEntry> entries, List<Long> released, long retired) {
    public StepBatch {
        entries = List.copyOf(entries);
        released = List.copyOf(released);
        if (step < 1 || entries.isEmpty() || retired < 0 || retired >= step) {
            throw new IllegalArgumentException(
                    "step=%d with %d entries and retired=%d; steps count from 1, have at least one entry, and retire later"
                            .formatted(step, entries.size(), retired));
        }
    }

    /** Tokens to compute in all. */
    public int tokens() {
        return entries.stream().mapToInt(entry -> entry.tokens().size()).sum();
    }
}
