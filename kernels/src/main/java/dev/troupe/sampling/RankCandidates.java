package dev.troupe.sampling;

/**
 * What one rank's vocabulary rows contribute to the choice of a token: enough for rank 0 to draw, too little to carry a
 * whole row.
 *
 * @param best the rank's winner under greedy or noise-only sampling
 * @param bestLogit its logit after penalties
 * @param bestScore what is compared: the logit, or logit / temperature + noise
 */
public record RankCandidates(int best, float bestLogit, float bestScore) {}
