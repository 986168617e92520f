package dev.troupe.openai;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * What a server says that a request has used.
 *
 * @param promptTokens tokens of the prompt
 * @param completionTokens tokens of the answer
 * @param cachedTokens tokens of the prompt that were not computed again, or {@link #UNKNOWN}
 */
public record Usage(long promptTokens, long completionTokens, long cachedTokens) {
    /** The server does not tell. */
    public static final long UNKNOWN = -1;

    static Usage of(JsonNode node) {
        return new Usage(
                node.path("prompt_tokens").asLong(0),
                node.path("completion_tokens").asLong(0),
                node.path("prompt_tokens_details").path("cached_tokens").asLong(UNKNOWN));
    }
}
