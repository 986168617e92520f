package dev.troupe.client;

import dev.troupe.sampling.Logprob;
import dev.troupe.serving.FinishReason;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.List;
import java.util.OptionalInt;

/** What a client sees of a generation, in order. A failed generation fails the stream instead. */
public sealed interface TextEvent {
    /** Index of the choice that it is about; empty for {@link Started} and {@link Usage}. */
    static OptionalInt choiceOf(TextEvent event) {
        return switch (event) {
            case Started _, Usage _ -> OptionalInt.empty();
            case Token token -> OptionalInt.of(token.choice());
            case PromptToken token -> OptionalInt.of(token.choice());
            case Logits row -> OptionalInt.of(row.choice());
            case Hidden state -> OptionalInt.of(state.choice());
            case Ended end -> OptionalInt.of(end.choice());
        };
    }

    /**
     * It was accepted.
     *
     * @param id by which it is known
     * @param prompt the prompt's tokens
     */
    record Started(String id, Ints prompt) implements TextEvent {}

    /**
     * How probable a prompt token was. Those of a choice come in their order, before its completion tokens.
     *
     * @param choice 0-based
     * @param position in the sequence, at least 1
     * @param logprob its log-probability after all tokens before it
     * @param top the most probable tokens in its place, descending
     */
    record PromptToken(int choice, int position, int token, float logprob, List<Logprob> top) implements TextEvent {
        public PromptToken {
            top = List.copyOf(top);
        }
    }

    /**
     * A completion token.
     *
     * @param choice 0-based
     * @param position in the sequence, prompt included, from 0
     * @param text what can be shown since the event before: whole characters only, so it may be empty
     * @param logit its raw logit
     * @param logprob its log-probability, or NaN where the request did not ask
     * @param top the most probable tokens, descending
     * @param hash of all tokens of the choice up to this one, with their logits, as {@link dev.troupe.generation.HashChain} makes it
     */
    record Token(
            int choice,
            int position,
            int token,
            String text,
            float logit,
            float logprob,
            List<Logprob> top,
            String hash)
            implements TextEvent {
        public Token {
            top = List.copyOf(top);
        }
    }

    /** Logits {@code [1, vocabulary]} after the token at {@code position}. */
    record Logits(int choice, int position, Floats values) implements TextEvent {}

    /** Hidden state after the final norm {@code [1, hidden]} of the token at {@code position}, or the mean over the prompt. */
    record Hidden(int choice, int position, Floats values) implements TextEvent {}

    /**
     * A choice has ended.
     *
     * @param text what was held back until now
     */
    record Ended(int choice, FinishReason reason, String text) implements TextEvent {}

    /**
     * What it took, once, after all else. Two runs of a request may differ in it and in nothing else.
     *
     * @param promptTokens of the prompt, once
     * @param completionTokens of all choices, as far as they were shown
     * @param cachedTokens of the prompt, that did not have to be computed because their keys and values were there when the
     *     generation began; 0 where the front end that knew it was lost
     */
    record Usage(int promptTokens, int completionTokens, int cachedTokens) implements TextEvent {}
}
