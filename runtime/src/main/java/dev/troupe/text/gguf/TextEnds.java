package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The tokens that a {@code tokenizer.json} puts around a text.
 *
 * @param begin put before it
 * @param end put behind it
 */
record TextEnds(OptionalInt begin, OptionalInt end) {
    private static final TextEnds NONE = new TextEnds(OptionalInt.empty(), OptionalInt.empty());

    /** What a {@code post_processor} adds, or nothing if it does what GGUF files have no flag for. */
    static Optional<TextEnds> of(JsonNode postProcessor) {
        List<JsonNode> parts = PreTokenizerSteps.parts(postProcessor, "processors").stream()
                .filter(part -> !PreTokenizerSteps.isType(part, "ByteLevel"))
                .toList();
        if (parts.isEmpty()) {
            return Optional.of(NONE);
        }
        return parts.size() == 1 && PreTokenizerSteps.isType(parts.getFirst(), "TemplateProcessing")
                ? ofTemplate(parts.getFirst())
                : Optional.empty();
    }

    private static Optional<TextEnds> ofTemplate(JsonNode template) {
        JsonNode single = template.path("single");
        int text = 0;
        while (text < single.size() && !single.get(text).has("Sequence")) {
            text++;
        }
        int behind = single.size() - text - 1;
        if (text > 1 || behind < 0 || behind > 1) {
            return Optional.empty();
        }
        OptionalInt begin = text == 1 ? special(template, single.get(0)) : OptionalInt.empty();
        OptionalInt end = behind == 1 ? special(template, single.get(text + 1)) : OptionalInt.empty();
        return begin.isPresent() == (text == 1) && end.isPresent() == (behind == 1)
                ? Optional.of(new TextEnds(begin, end))
                : Optional.empty();
    }

    private static OptionalInt special(JsonNode template, JsonNode piece) {
        String name = piece.path("SpecialToken").path("id").asText();
        JsonNode ids = template.path("special_tokens").path(name).path("ids");
        return ids.size() == 1 && ids.get(0).canConvertToInt()
                ? OptionalInt.of(ids.get(0).intValue())
                : OptionalInt.empty();
    }
}
