package dev.troupe.generation;

import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.FinishRule;
import dev.troupe.serving.Precedence;
import dev.troupe.serving.Returns;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What a client asked, in tokens. Names as in the OpenAI API.
 *
 * @param model registered id
 * @param prompt prompt tokens, at least one
 * @param n choices
 * @param sampling how to draw
 * @param finish when a choice ends
 * @param returns what to return beside tokens
 * @param linger how long the generation lives on without a subscriber; zero cancels it when its subscriber leaves
 * @param deadline the most time it may take, delivery included
 * @param traceId names the request in every log and error
 * @param cacheSalt what is computed for it is reused only for requests with the same, and the other way round; empty for those
 *     of everybody who has none
 * @param precedence where it stands among the requests of its tenant
 * @param ticket how its client comes back to it elsewhere, or null if it does not
 */
public record GenerationRequest(
        String model,
        Ints prompt,
        int n,
        SamplingParameters sampling,
        FinishRule finish,
        Returns returns,
        Duration linger,
        Duration deadline,
        String traceId,
        String cacheSalt,
        Precedence precedence,
        @Nullable Ticket ticket) {
    /** The most choices of one request. */
    public static final int MAX_CHOICES = 128;

    /** The longest salt, in characters. */
    public static final int MAX_CACHE_SALT = 256;

    public GenerationRequest {
        if (prompt.isEmpty()) {
            throw new IllegalArgumentException("prompt has no tokens, expected at least one");
        }
        if (n < 1 || n > MAX_CHOICES) {
            throw new IllegalArgumentException("n=%d, expected 1 to %d".formatted(n, MAX_CHOICES));
        }
        if (finish.maxTokens() == 0 && returns.isEmpty()) {
            throw new IllegalArgumentException("max_tokens=0 returns nothing, expected at least 1, or rows to return");
        }
        if (linger.isNegative() || deadline.isNegative() || deadline.isZero()) {
            throw new IllegalArgumentException(
                    "linger=%s deadline=%s, expected no negative time and some until the deadline"
                            .formatted(linger, deadline));
        }
        if (cacheSalt.length() > MAX_CACHE_SALT) {
            throw new IllegalArgumentException(
                    "cache_salt has %d characters, expected at most %d".formatted(cacheSalt.length(), MAX_CACHE_SALT));
        }
    }

    /** A request for one greedy choice of at most 16 tokens that ends with its subscriber, within an hour. */
    public static Builder of(String model, Ints prompt) {
        return new Builder(model, prompt);
    }

    /** Makes requests. */
    public static final class Builder {
        private final String model;
        private final Ints prompt;
        private int n = 1;
        private SamplingParameters sampling = SamplingParameters.greedy();
        private int maxTokens = 16;
        private Ints stopTokens = Ints.of();
        private Returns returns = Returns.TOKENS_ONLY;
        private Duration linger = Duration.ZERO;
        private Duration deadline = Duration.ofHours(1);
        private String traceId = "";
        private String cacheSalt = "";
        private Precedence precedence = Precedence.NONE;
        private @Nullable Ticket ticket;

        private Builder(String model, Ints prompt) {
            this.model = model;
            this.prompt = prompt;
        }

        /** Number of choices. */
        public Builder n(int choices) {
            n = choices;
            return this;
        }

        /** How to draw. */
        public Builder sampling(SamplingParameters parameters) {
            sampling = parameters;
            return this;
        }

        /** The most completion tokens of a choice. */
        public Builder maxTokens(int most) {
            maxTokens = most;
            return this;
        }

        /** Token ids that end a choice. */
        public Builder stopTokens(Ints ids) {
            stopTokens = ids;
            return this;
        }

        /** What to return beside tokens. */
        public Builder returns(Returns wanted) {
            returns = wanted;
            return this;
        }

        /** How long the generation lives on without a subscriber. */
        public Builder linger(Duration time) {
            linger = time;
            return this;
        }

        /** The most time it may take. */
        public Builder deadline(Duration time) {
            deadline = time;
            return this;
        }

        /** Names the request in logs and errors. */
        public Builder traceId(String id) {
            traceId = id;
            return this;
        }

        /** Shares what is computed only with requests that have the same salt. */
        public Builder cacheSalt(String salt) {
            cacheSalt = salt;
            return this;
        }

        /** Where it stands among the requests of its tenant. */
        public Builder precedence(Precedence place) {
            precedence = place;
            return this;
        }

        /** How its client comes back to it elsewhere. */
        public Builder ticket(@Nullable Ticket given) {
            ticket = given;
            return this;
        }

        /**
         * The request.
         *
         * @throws IllegalArgumentException if a value is out of range; the message names it
         */
        public GenerationRequest build() {
            FinishRule finish = new FinishRule(maxTokens, stopTokens);
            return new GenerationRequest(
                    model,
                    prompt,
                    n,
                    sampling,
                    finish,
                    returns,
                    linger,
                    deadline,
                    traceId,
                    cacheSalt,
                    precedence,
                    ticket);
        }
    }
}
