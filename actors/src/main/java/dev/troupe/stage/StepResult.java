package dev.troupe.stage;

import dev.troupe.tensor.Floats;
import java.util.List;

/**
 * What a step gave, from rank 0 of the last stage to the scheduler. It implies that every rank of every stage has
 * written its keys and values of this step.
 *
 * <p>Results of one epoch leave in the order of their steps.
 *
 * @param answers one for every want of the batch whose sequence did not fail, in the batch's order
 * @param failures sequences that met a value that is not finite, in the batch's order
 * @param work what the step cost every stage, ascending
 */
public record StepResult(Epoch epoch, long step, List<Answer> answers, List<Failure> failures, List<StageWork> work) {
    public StepResult {
        answers = List.copyOf(answers);
        failures = List.copyOf(failures);
        work = List.copyOf(work);
    }

    /** An answer to one {@link Want}. */
    public sealed interface Answer {
        /** Whose. */
        long sequence();

        /** Position that was asked after. */
        int position();
    }

    /**
     * The token at {@code position + 1}.
     *
     * @param logit its raw logit
     * @param logprob its log-probability, or NaN where the parameters did not ask
     * @param top the most probable tokens, descending
     */
    public record Token(long sequence, int position, int token, float logit, float logprob, List<Logprob> top)
            implements Answer {
        public Token {
            top = List.copyOf(top);
        }
    }

    /** A token and its log-probability. */
    public record Logprob(int token, float logprob) {}

    /** Logits {@code [1, vocabulary]}. */
    public record Row(long sequence, int position, Floats values) implements Answer {}

    /** State after the final norm {@code [1, hidden]}. */
    public record Hidden(long sequence, int position, Floats values) implements Answer {}

    /** Mean of the prompt's states after the final norm up to {@code position}, {@code [1, hidden]}. */
    public record Mean(long sequence, int position, Floats values) implements Answer {}

    /**
     * How probable the prompt token at {@code position + 1} was.
     *
     * @param token that token; negative after the last prompt token
     * @param logprob its log-probability, NaN where there is no token
     * @param top the most probable tokens in its place, descending
     */
    public record Score(long sequence, int position, int token, float logprob, List<Logprob> top) implements Answer {
        public Score {
            top = List.copyOf(top);
        }
    }

    /**
     * No token, because a rank has not compiled the sequence's guide yet: the token after {@code position} is to be asked for
     * again. Other answers at that position are not affected.
     */
    public record Deferred(long sequence, int position) implements Answer {}

    /** A sequence that cannot go on. */
    public record Failure(long sequence, String reason) {}
}
