package dev.troupe.serving;

import dev.troupe.stage.StepResult;
import dev.troupe.tensor.Floats;
import java.util.List;

/** Something that a replica has computed for one choice of a generation. */
public sealed interface Output {
    /** Index among the choices of the generation, from 0. */
    int choice();

    /** Position in the sequence, prompt included, from 0: of the token, or of the token that a row was asked after. */
    int position();

    /**
     * The token at {@code position}.
     *
     * @param logit its raw logit
     * @param logprob its log-probability, or NaN where the request did not ask
     * @param top the most probable tokens, descending
     */
    record Token(int choice, int position, int token, float logit, float logprob, List<StepResult.Logprob> top)
            implements Output {
        public Token {
            top = List.copyOf(top);
        }
    }

    /** Logits {@code [1, vocabulary]} after the token at {@code position}. */
    record Row(int choice, int position, Floats values) implements Output {}

    /** Hidden state {@code [1, hidden]} after the final norm, for the token at {@code position}. */
    record Hidden(int choice, int position, Floats values) implements Output {}

    /** Mean of the prompt's hidden states after the final norm up to the token at {@code position}, {@code [1, hidden]}. */
    record Mean(int choice, int position, Floats values) implements Output {}

    /**
     * How probable the prompt token after the one at {@code position} was.
     *
     * @param token that token; negative after the last prompt token
     * @param logprob its log-probability, NaN where there is no token
     * @param top the most probable tokens in its place, descending
     */
    record Score(int choice, int position, int token, float logprob, List<StepResult.Logprob> top) implements Output {
        public Score {
            top = List.copyOf(top);
        }
    }

    /**
     * A step's answer as the output of a choice.
     *
     * @throws IllegalArgumentException if the answer is that there is none yet
     */
    static Output of(int choice, StepResult.Answer answer) {
        return switch (answer) {
            case StepResult.Token t -> new Token(choice, t.position() + 1, t.token(), t.logit(), t.logprob(), t.top());
            case StepResult.Row r -> new Row(choice, r.position(), r.values());
            case StepResult.Hidden h -> new Hidden(choice, h.position(), h.values());
            case StepResult.Mean m -> new Mean(choice, m.position(), m.values());
            case StepResult.Score s -> new Score(choice, s.position(), s.token(), s.logprob(), s.top());
            case StepResult.Deferred d ->
                throw new IllegalArgumentException("%s is nothing that a choice is given".formatted(d));
        };
    }
}
