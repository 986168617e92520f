package dev.troupe.serving;

import dev.troupe.tensor.Ints;
import org.jspecify.annotations.Nullable;

/**
 * When a choice ends by itself. A function of its tokens alone, so the scheduler that stops planning and the generation
 * that keeps the log come to the same answer without a message.
 *
 * @param maxTokens completion tokens; 0 computes the prompt and draws none
 * @param stopTokens token ids that end a choice; the stop token is its last token
 */
public record FinishRule(int maxTokens, Ints stopTokens) {
    public FinishRule {
        if (maxTokens < 0) {
            throw new IllegalArgumentException("max_tokens=%d, expected at least 0".formatted(maxTokens));
        }
    }

    /**
     * The reason to end after a token.
     *
     * @param completionTokens tokens drawn so far, that one included
     * @param lastToken the token
     * @return null to go on
     */
    public @Nullable FinishReason after(int completionTokens, int lastToken) {
        if (stopTokens.stream().anyMatch(stop -> stop == lastToken)) {
            return FinishReason.STOP;
        }
        return completionTokens >= maxTokens ? FinishReason.LENGTH : null;
    }
}
