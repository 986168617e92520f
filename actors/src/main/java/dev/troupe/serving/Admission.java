package dev.troupe.serving;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.Want;
import java.util.Optional;

/** Whether a request can ever be served, by numbers that stay the same for a whole epoch. */
final class Admission {
    private final SchedulerSettings settings;
    private final ReplicaPlan plan;
    private final KvBlockPool pool;

    Admission(SchedulerSettings settings, ReplicaPlan plan, KvBlockPool pool) {
        this.settings = settings;
        this.plan = plan;
        this.pool = pool;
    }

    /** Why never, with the numbers; empty if it can. */
    Optional<String> refusal(Submission submission) {
        int prompt = submission.prompt().size();
        int maxTokens = submission.finish().maxTokens();
        long positions = (long) prompt + maxTokens;
        if (positions > settings.contextLength()) {
            return Optional.of(
                    "prompt of %d tokens + max_tokens %d = %d exceeds the context length of %d; ask for at most %d"
                            .formatted(
                                    prompt,
                                    maxTokens,
                                    positions,
                                    settings.contextLength(),
                                    Math.max(0, settings.contextLength() - prompt)));
        }
        if (positions > StepLimits.DESCRIBED_TOKENS) {
            return Optional.of(
                    "prompt of %d tokens + max_tokens %d = %d exceeds what one message between nodes describes, %d tokens; ask for at most %d"
                            .formatted(
                                    prompt,
                                    maxTokens,
                                    positions,
                                    StepLimits.DESCRIBED_TOKENS,
                                    Math.max(0, StepLimits.DESCRIBED_TOKENS - prompt)));
        }
        // The last token is drawn, never computed.
        long computed = Math.max(prompt, positions - 1);
        long capacity = (long) pool.total() * pool.blockSize();
        if (computed > capacity) {
            return Optional.of(
                    ("prompt of %d tokens + max_tokens %d needs %d KV blocks of %d tokens and the replica has %d; "
                                    + "ask for at most %d, or give the replica more KV blocks")
                            .formatted(
                                    prompt,
                                    maxTokens,
                                    Math.ceilDiv(computed, pool.blockSize()),
                                    pool.blockSize(),
                                    pool.total(),
                                    Math.max(0, capacity + 1 - prompt)));
        }
        return tooMuchReturned(submission, prompt, maxTokens);
    }

    private Optional<String> tooMuchReturned(Submission submission, int prompt, int maxTokens) {
        boolean prompts = submission.returns().prompt().contains(Want.Kind.ROW);
        boolean completions = submission.returns().completion().contains(Want.Kind.ROW);
        long rows = (prompts ? prompt : 0L) + (completions ? Math.max(1, maxTokens) : 0L);
        long bytes = rows * submission.choices().size() * Float.BYTES * vocabulary(plan);
        if (submission.returns().prompt().contains(Want.Kind.SCORE)) {
            long most = settings.maxReturnedBytes();
            long scores = (long) prompt * submission.choices().size() * scoreBytes(submission);
            if (scores > most) {
                return Optional.of(
                        "the scores of %d prompt tokens for each of %d choices are %d bytes, expected at most %d; ask for fewer choices or alternatives"
                                .formatted(prompt, submission.choices().size(), scores, most));
            }
        }
        return bytes <= settings.maxReturnedBytes()
                ? Optional.empty()
                : Optional.of(
                        "%d rows of %d logits for each of %d choices are %d bytes, expected at most %d; ask for fewer rows"
                                .formatted(
                                        rows,
                                        vocabulary(plan),
                                        submission.choices().size(),
                                        bytes,
                                        settings.maxReturnedBytes()));
    }

    private static int scoreBytes(Submission submission) {
        return Float.BYTES * (4 + 2 * Math.max(0, submission.sampling().topLogprobs()));
    }

    /** Vocabulary rows of the model. */
    static int vocabulary(ReplicaPlan plan) {
        return plan.partition().stages().getLast().ranks().getLast().toRow();
    }
}
