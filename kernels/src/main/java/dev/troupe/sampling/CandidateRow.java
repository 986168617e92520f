package dev.troupe.sampling;

/** One rank's vocabulary rows of one wanted token: what candidates are taken from, as often as rank 0 asks for more. */
public interface CandidateRow {
    /** What is drawn; rank 0 asks it to choose. */
    TokenDraw draw();

    /**
     * What this rank contributes.
     *
     * @param limit most candidates to send where top-k, top-p or min-p needs several; {@link TokenDraw#firstLimit()}
     *     at first, then what {@link TokenDraw.More} says
     */
    RankCandidates candidates(int limit);
}
