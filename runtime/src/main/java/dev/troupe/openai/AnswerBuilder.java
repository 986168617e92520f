package dev.troupe.openai;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** An answer as far as it has come: a fold over the chunks of a stream, or over the one object of a whole answer. */
final class AnswerBuilder {
    private final StringBuilder text = new StringBuilder();
    private @Nullable String finishReason;
    private @Nullable Usage usage;

    /** Takes a chunk over; what it adds to the text, which may be nothing, if it stands for a token. */
    Optional<String> take(JsonNode chunk) {
        if (chunk.path("usage").isObject()) {
            usage = Usage.of(chunk.path("usage"));
        }
        JsonNode choice = chunk.path("choices").path(0);
        if (choice.isMissingNode() || choice.path("index").asInt(0) != 0) {
            return Optional.empty();
        }
        boolean ends = choice.path("finish_reason").isTextual();
        if (ends) {
            finishReason = choice.path("finish_reason").textValue();
        }
        String piece = piece(choice);
        text.append(piece);
        boolean opensOnly = choice.path("delta").has("role") && piece.isEmpty();
        boolean stands = !piece.isEmpty() || thinks(choice) || (!ends && !opensOnly);
        return stands ? Optional.of(piece) : Optional.empty();
    }

    private static String piece(JsonNode choice) {
        for (JsonNode text : new JsonNode[] {
            choice.path("text"),
            choice.path("delta").path("content"),
            choice.path("message").path("content")
        }) {
            if (text.isTextual()) {
                return text.textValue();
            }
        }
        return "";
    }

    /** Some models think first, in tokens that are not part of the answer. */
    private static boolean thinks(JsonNode choice) {
        JsonNode delta = choice.path("delta");
        return !delta.path("reasoning_content").asText("").isEmpty()
                || !delta.path("reasoning").asText("").isEmpty();
    }

    Answer build() {
        return new Answer(text.toString(), finishReason, usage);
    }
}
