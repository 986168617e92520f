package dev.troupe.openai;

import java.util.function.LongSupplier;

/**
 * An answer and how long it took.
 *
 * @param answer as far as it came
 * @param isStopped whether it was stopped before its end
 * @param tokens that came, by the server's count if it counts them
 * @param firstTokenSeconds from the question to the first token, or to the end if there was none
 * @param tokensPerSecond after the first token; 0 of fewer than two
 */
public record Turn(Answer answer, boolean isStopped, long tokens, double firstTokenSeconds, double tokensPerSecond) {

    /** Tokens of the prompt, or {@link Usage#UNKNOWN}. */
    public long promptTokens() {
        Usage usage = answer.usage();
        return usage == null ? Usage.UNKNOWN : usage.promptTokens();
    }

    /** Tokens of the prompt that were not computed again, or {@link Usage#UNKNOWN}. */
    public long cachedTokens() {
        Usage usage = answer.usage();
        return usage == null ? Usage.UNKNOWN : usage.cachedTokens();
    }

    /** Takes the times while an answer comes. */
    static final class Watch {
        private final LongSupplier nanoTime;
        private final long start;
        private long first;
        private long last;
        private long pieces;

        Watch(LongSupplier nanoTime) {
            this.nanoTime = nanoTime;
            this.start = nanoTime.getAsLong();
        }

        void token() {
            last = nanoTime.getAsLong();
            first = pieces++ == 0 ? last : first;
        }

        Turn end(Answer answer, boolean isStopped) {
            Usage usage = answer.usage();
            long tokens = usage == null ? pieces : usage.completionTokens();
            double seconds = (last - first) / 1e9;
            return new Turn(
                    answer,
                    isStopped,
                    tokens,
                    ((pieces == 0 ? nanoTime.getAsLong() : first) - start) / 1e9,
                    seconds > 0 && tokens > 1 ? (tokens - 1) / seconds : 0);
        }
    }
}
