package dev.troupe.model;

import dev.troupe.kernel.FoundCandidates;
import dev.troupe.tensor.Floats;
import java.util.function.Supplier;

/**
 * A row of logits that was searched where it was computed.
 *
 * @param logits computes the row {@code [1, vocabularyRows]} again, on the shard's thread and as long as it lives, also when the step
 *     has ended; of no use where the query wanted fewer than {@link dev.troupe.kernel.CandidateQuery#MOST}, or all were found
 */
public record SearchedLogits(FoundCandidates found, Supplier<Floats> logits) {}
