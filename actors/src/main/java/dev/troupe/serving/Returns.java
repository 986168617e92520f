package dev.troupe.serving;

import dev.troupe.stage.Want;
import java.util.Set;

/**
 * What a request wants to see beside its completion tokens: rows of logits and hidden states.
 *
 * @param prompt returned after every prompt token
 * @param completion returned where a completion token is drawn, that is after the last prompt token and after every
 *     completion token but the last
 */
public record Returns(Set<Want.Kind> prompt, Set<Want.Kind> completion) {
    /** Nothing but tokens. */
    public static final Returns TOKENS_ONLY = new Returns(Set.of(), Set.of());

    public Returns {
        prompt = Set.copyOf(prompt);
        completion = Set.copyOf(completion);
        if (prompt.contains(Want.Kind.TOKEN) || completion.contains(Want.Kind.TOKEN)) {
            throw new IllegalArgumentException(
                    "returns prompt=%s completion=%s, expected ROW and HIDDEN; tokens come by max_tokens"
                            .formatted(prompt, completion));
        }
    }

    /** Whether nothing but tokens is wanted. */
    public boolean isEmpty() {
        return prompt.isEmpty() && completion.isEmpty();
    }
}
