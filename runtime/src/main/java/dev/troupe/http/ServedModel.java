package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The model that is served, as far as requests are made of text.
 *
 * @param id by which clients ask for it
 * @param tokenizer or null if it has none: then prompts must be tokens
 * @param chatPrompt or null if it has no chat template
 * @param contextLength the most tokens of a prompt and its completion
 * @param vocabularySize tokens that it knows
 * @param hiddenSize values of a hidden state
 * @param created when it began to be served, seconds since 1970
 */
public record ServedModel(
        String id,
        @Nullable Tokenizer tokenizer,
        @Nullable ChatPrompt chatPrompt,
        int contextLength,
        int vocabularySize,
        int hiddenSize,
        long created) {
    /** Makes a prompt of messages. */
    @FunctionalInterface
    public interface ChatPrompt {
        /**
         * The prompt that ends where the assistant's answer begins.
         *
         * @param messages objects with {@code role} and {@code content}
         * @throws IllegalArgumentException if they do not fit the model's template; the message says why
         */
        String of(ArrayNode messages);
    }

    /** The same, for requests whose prompt is known: whatever the messages, they make some prompt. */
    ServedModel withoutTemplate() {
        return new ServedModel(id, tokenizer, _ -> "a", contextLength, vocabularySize, hiddenSize, created);
    }

    /** The prompt of a chat. */
    String chat(ArrayNode messages) {
        if (chatPrompt == null) {
            throw ApiError.invalid(
                    "messages",
                    "model %s has no chat template, so it takes no messages; use /v1/completions".formatted(id));
        }
        try {
            return chatPrompt.of(messages);
        } catch (IllegalArgumentException e) {
            throw ApiError.invalid(
                    "messages", "the chat template of %s refuses them: %s".formatted(id, e.getMessage()));
        }
    }

    /** Its tokenizer. */
    Tokenizer requireTokenizer(String param) {
        if (tokenizer == null) {
            throw ApiError.invalid(param, "model %s has no tokenizer; send tokens".formatted(id));
        }
        return tokenizer;
    }

    /** The text that a token stands for by itself. */
    String text(int token) {
        return tokenizer == null ? "" : new String(bytes(token), StandardCharsets.UTF_8);
    }

    /** The bytes that a token stands for. */
    byte[] bytes(int token) {
        return tokenizer == null ? new byte[0] : tokenizer.bytes(token);
    }

    /** Refuses ids that it does not have. */
    void requireKnown(String param, Ints ids) {
        ids.stream().filter(id -> id < 0 || id >= vocabularySize).findFirst().ifPresent(id -> {
            throw ApiError.invalid(
                    param, "%s holds token %d, expected 0 to %d".formatted(param, id, vocabularySize - 1));
        });
    }
}
