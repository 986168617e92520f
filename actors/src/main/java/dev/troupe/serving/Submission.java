package dev.troupe.serving;

import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.util.List;

/**
 * A generation as a scheduler sees it: all that is needed to compute its next tokens, whoever computed the ones before.
 *
 * @param id whose
 * @param traceId names the request in every log and error
 * @param prompt prompt tokens, at least one
 * @param choices the choices that are still to be computed
 * @param sampling how to draw
 * @param finish when a choice ends
 * @param returns what to return beside tokens
 * @param losses how many schedulers in a row were lost with it since it gained a token
 * @param cacheSalt shares KV blocks only with those that have the same
 * @param precedence where it stands among those of its tenant
 */
public record Submission(
        GenerationId id,
        String traceId,
        Ints prompt,
        List<Choice> choices,
        SamplingParameters sampling,
        FinishRule finish,
        Returns returns,
        int losses,
        String cacheSalt,
        Precedence precedence) {
    public Submission {
        choices = List.copyOf(choices);
        if (prompt.isEmpty() || choices.isEmpty()) {
            throw new IllegalArgumentException(
                    "generation %s has %d prompt tokens and %d choices, expected at least 1 of each"
                            .formatted(id, prompt.size(), choices.size()));
        }
    }

    /** One with which nothing was lost, without a salt or a priority. */
    public Submission(
            GenerationId id,
            String traceId,
            Ints prompt,
            List<Choice> choices,
            SamplingParameters sampling,
            FinishRule finish,
            Returns returns) {
        this(id, traceId, prompt, choices, sampling, finish, returns, 0, "", Precedence.NONE);
    }

    /**
     * One of the choices.
     *
     * @param index among the choices of the generation, from 0; part of the noise counter
     * @param completion the tokens it has already
     */
    public record Choice(int index, Ints completion) {}
}
