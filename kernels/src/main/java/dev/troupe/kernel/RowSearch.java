package dev.troupe.kernel;

import dev.troupe.tensor.Tensor;
import java.util.List;

/** Searches rows of logits in the memory of a device, so that the host gets a few candidates instead of the rows. */
public interface RowSearch {
    /**
     * Answers one query for each of the first rows of {@code logits}.
     *
     * @param logits {@code [rows, ids]}, of at least as many rows
     * @param firstId id of the first column
     */
    List<FoundCandidates> candidates(Tensor logits, int firstId, List<CandidateQuery> queries);
}
