package dev.troupe.serving;

import dev.troupe.stage.Want;
import java.util.List;
import java.util.Set;

/**
 * What a request wants to see beside its completion tokens: rows of logits, hidden states, and scores of the prompt's tokens.
 *
 * @param prompt returned after every prompt token
 * @param completion returned where a completion token is drawn, that is after the last prompt token and after every
 *     completion token but the last
 */
public record Returns(Set<Want.Kind> prompt, Set<Want.Kind> completion) {
    /** All that can be returned, in the order in which a token's are. */
    public static final List<Want.Kind> KINDS =
            List.of(Want.Kind.ROW, Want.Kind.HIDDEN, Want.Kind.MEAN, Want.Kind.SCORE);

    /** Nothing but tokens. */
    public static final Returns TOKENS_ONLY = new Returns(Set.of(), Set.of());

    public Returns {
        prompt = Set.copyOf(prompt);
        completion = Set.copyOf(completion);
        if (prompt.contains(Want.Kind.TOKEN)
                || completion.contains(Want.Kind.TOKEN)
                || completion.contains(Want.Kind.SCORE)) {
            throw new IllegalArgumentException(
                    "returns prompt=%s completion=%s, expected ROW, HIDDEN and MEAN, and SCORE of the prompt; tokens come by max_tokens"
                            .formatted(prompt, completion));
        }
    }

    /** Whether a mean of hidden states is wanted, so that every prompt token has to be computed. */
    public boolean means() {
        return prompt.contains(Want.Kind.MEAN) || completion.contains(Want.Kind.MEAN);
    }

    /** Whether nothing but tokens is wanted. */
    public boolean isEmpty() {
        return prompt.isEmpty() && completion.isEmpty();
    }
}
