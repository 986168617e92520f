package dev.troupe.kernel;

import org.jspecify.annotations.Nullable;

/**
 * What is asked of one row of logits that stays where it was computed (NUMERICS rule 9): {@link RowSearch} answers.
 *
 * @param scaling what candidates are compared by, without noise
 * @param noise added to that; null for none
 * @param limit the most candidates wanted, 0 to {@value #MOST}: 1 for the best, with noise or without; several without noise,
 *     and fewer than the most only where no more will ever be
 * @param spans whether the sums over the scaled logits are wanted
 * @param top how many of the largest logits are wanted, at most {@value #MOST}, with the sums over all; negative for neither
 * @param token id whose logit is wanted; negative for none
 */
public record CandidateQuery(
        LogitScaling scaling, @Nullable Noise noise, int limit, boolean spans, int top, int token) {
    /** The most candidates of a row. */
    public static final int MOST = 512;

    /**
     * The key of a draw's noise.
     *
     * @param choice index among the choices of a generation
     * @param position position that the drawn token takes
     */
    public record Noise(long seed, int choice, int position) {}

    public CandidateQuery {
        if (limit < 0 || limit > MOST || top > MOST || (noise != null && limit != 1)) {
            throw new IllegalArgumentException("limit=%d, top=%d, noise=%s; expected at most %d, and one with noise"
                    .formatted(limit, top, noise, MOST));
        }
    }

    /** Whether more candidates than were found may be wanted. */
    public boolean mayLackSome(FoundCandidates found) {
        return limit == MOST && found.reachable() > MOST;
    }
}
