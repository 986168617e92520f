package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.tools.Tool;
import dev.troupe.text.tools.ToolFormat;
import dev.troupe.text.tools.ToolMessages;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalInt;
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
    public interface ChatPrompt {
        /**
         * The prompt that ends where the assistant's answer begins.
         *
         * @param messages objects with {@code role} and {@code content}
         * @param tools the definitions of tools; empty for none
         * @throws IllegalArgumentException if they do not fit the model's template; the message says why
         */
        String of(ArrayNode messages, ArrayNode tools);

        /** How the model writes calls of tools. */
        ToolFormat toolFormat();
    }

    /** How the model writes calls of tools. */
    ToolFormat toolFormat() {
        return chatPrompt == null ? ToolFormat.TOLD : chatPrompt.toolFormat();
    }

    /**
     * The prompt of a chat.
     *
     * @param messages objects as in the OpenAI API, {@code arguments} of calls as objects
     * @param tools what may be called; empty for none
     */
    String chat(ArrayNode messages, List<Tool> tools) {
        if (chatPrompt == null) {
            throw ApiError.invalid(
                    "messages",
                    "model %s has no chat template, so it takes no messages; use /v1/completions".formatted(id));
        }
        try {
            return prompt(chatPrompt, ToolMessages.of(toolFormat(), messages), tools);
        } catch (IllegalArgumentException e) {
            throw ApiError.invalid(
                    "messages", "the chat template of %s refuses them: %s".formatted(id, e.getMessage()));
        }
    }

    private static String prompt(ChatPrompt template, ArrayNode messages, List<Tool> tools) {
        ArrayNode none = JsonNodeFactory.instance.arrayNode();
        if (template.toolFormat() != ToolFormat.TOLD || tools.isEmpty()) {
            return template.of(messages, ToolMessages.json(tools));
        }
        try {
            return template.of(ToolMessages.told(messages, tools, false), none);
        } catch (IllegalArgumentException e) {
            // Not every model knows messages of a system.
            return template.of(ToolMessages.told(messages, tools, true), none);
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

    /** The id of a token that stands for no text; none where it has no such token, or where it stands for text. */
    OptionalInt special(String token) {
        OptionalInt id = tokenizer == null ? OptionalInt.empty() : tokenizer.id(token);
        return id.isPresent() && tokenizer != null && tokenizer.isSpecial(id.getAsInt()) ? id : OptionalInt.empty();
    }

    /** Refuses ids that it does not have. */
    void requireKnown(String param, Ints ids) {
        ids.stream().filter(id -> id < 0 || id >= vocabularySize).findFirst().ifPresent(id -> {
            throw ApiError.invalid(
                    param, "%s holds token %d, expected 0 to %d".formatted(param, id, vocabularySize - 1));
        });
    }
}
