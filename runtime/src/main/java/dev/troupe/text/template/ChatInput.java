package dev.troupe.text.template;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.Optional;

/**
 * What a chat template is given.
 *
 * @param messages an array of objects with {@code role} and {@code content}, as in the OpenAI API; {@code arguments} of
 *     tool calls as objects, which is what most templates want
 * @param tools an array of tool definitions
 * @param addGenerationPrompt whether the text ends with what the model's own message begins with
 * @param extra further variables by name; they come before all others
 */
public record ChatInput(
        JsonNode messages, Optional<JsonNode> tools, boolean addGenerationPrompt, Map<String, JsonNode> extra) {
    public ChatInput {
        extra = Map.copyOf(extra);
    }

    /** Messages that the model shall answer, without tools. */
    public static ChatInput of(JsonNode messages) {
        return new ChatInput(messages, Optional.empty(), true, Map.of());
    }
}
