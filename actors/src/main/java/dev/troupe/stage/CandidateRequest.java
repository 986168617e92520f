package dev.troupe.stage;

import dev.troupe.tensor.Ints;

/**
 * Rank 0 of the last stage cannot settle some draws yet and asks a rank for more candidates; answered by
 * {@link Candidates} of the same round. Rare: only where top-p or min-p keeps very many tokens.
 *
 * @param round counts up from 1 within the step
 * @param wants indices into the batch's wants, ascending
 * @param limits for each of them, the most candidates to send
 */
public record CandidateRequest(Epoch epoch, long step, int round, Ints wants, Ints limits) implements TensorMessage {
    public CandidateRequest {
        if (round < 1 || wants.isEmpty() || wants.size() != limits.size()) {
            throw new IllegalArgumentException(
                    "round=%d, wants=%s, limits=%s; expected a round from 1 and a limit for every want"
                            .formatted(round, wants, limits));
        }
    }
}
