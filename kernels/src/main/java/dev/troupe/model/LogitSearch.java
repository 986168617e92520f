package dev.troupe.model;

import dev.troupe.kernel.CandidateQuery;
import java.util.List;

/** Searches a step's rows of logits where they are computed, so that no row need come to the host. */
public interface LogitSearch {
    /**
     * Computes logits of this rank's vocabulary rows and answers a query about each.
     *
     * @param rows token indices of the batch
     * @param queries one for each of them
     */
    List<SearchedLogits> candidates(int[] rows, List<CandidateQuery> queries);
}
