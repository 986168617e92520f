package dev.troupe.stage;

import dev.troupe.tensor.Ints;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One sequence's part of a step: known tokens that are not yet computed.
 *
 * @param sequence id, unique in the life of a scheduler
 * @param start the whole sequence if the ranks do not know it, else null
 * @param firstPosition position of the first token to compute
 * @param tokens the tokens to compute, at ascending positions
 * @param newBlocks KV block ids that this step appends to the sequence's block table
 * @param wants what to return, ascending offsets; none for a prefill chunk before the last
 */
public record StepEntry(
        long sequence,
        @Nullable SequenceStart start,
        int firstPosition,
        Ints tokens,
        Ints newBlocks,
        List<Want> wants) {
    public StepEntry {
        wants = List.copyOf(wants);
        if (firstPosition < 0 || tokens.isEmpty()) {
            throw new IllegalArgumentException(
                    "sequence=%d, firstPosition=%d, tokens=%d".formatted(sequence, firstPosition, tokens.size()));
        }
        for (Want want : wants) {
            if (want.offset() < 0 || want.offset() >= tokens.size()) {
                throw new IllegalArgumentException(
                        "sequence=%d wants offset %d of %d tokens".formatted(sequence, want.offset(), tokens.size()));
            }
        }
    }
}
