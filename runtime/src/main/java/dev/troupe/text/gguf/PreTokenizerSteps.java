package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.text.gguf.PreTokenizer.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads the {@code pre_tokenizer} of a {@code tokenizer.json} as steps: what {@link PreTokenizer#json} writes, and its kin. */
final class PreTokenizerSteps {
    private PreTokenizerSteps() {}

    /** The steps in order, or nothing if one of them is none that a {@link PreTokenizer} has. */
    static Optional<List<Step>> of(JsonNode preTokenizer) {
        List<JsonNode> parts = parts(preTokenizer, "pretokenizers");
        boolean onlySplit = parts.stream().filter(part -> isType(part, "Split")).count() == 1;
        List<Step> steps = new ArrayList<>();
        for (JsonNode part : parts) {
            Optional<Step> step = step(part, onlySplit);
            if (step.isEmpty()) {
                return Optional.empty();
            }
            steps.add(step.get());
        }
        return Optional.of(steps);
    }

    /** Whether it writes bytes in GPT-2's alphabet. */
    static boolean isByteLevel(JsonNode preTokenizer) {
        return parts(preTokenizer, "pretokenizers").stream().anyMatch(part -> isType(part, "ByteLevel"));
    }

    /**
     * The parts of a {@code Sequence}, of sequences in it too; the part itself for another, none for null.
     *
     * @param key under which a sequence has its parts
     */
    static List<JsonNode> parts(JsonNode part, String key) {
        if (part.isMissingNode() || part.isNull()) {
            return List.of();
        }
        if (!isType(part, "Sequence")) {
            return List.of(part);
        }
        List<JsonNode> parts = new ArrayList<>();
        part.path(key).forEach(inner -> parts.addAll(parts(inner, key)));
        return parts;
    }

    static boolean isType(JsonNode part, String type) {
        return part.path("type").asText().equals(type);
    }

    private static Optional<Step> step(JsonNode part, boolean onlySplit) {
        return switch (part.path("type").asText()) {
            case "ByteLevel" ->
                part.path("add_prefix_space").asBoolean(true)
                        ? Optional.empty()
                        : Optional.of(part.path("use_regex").asBoolean(true) ? Step.GPT2_WORDS : Step.BYTES);
            case "Digits" -> Optional.of(part.path("individual_digits").asBoolean() ? Step.EACH_DIGIT : Step.DIGITS);
            case "Punctuation" ->
                part.path("behavior").asText().equals(Step.PUNCTUATION.argument())
                        ? Optional.of(Step.PUNCTUATION)
                        : Optional.empty();
            case "Split" -> split(part, onlySplit);
            default -> Optional.empty();
        };
    }

    /**
     * Matches are words of their own, and so is what lies between. A pattern that stands alone matches everything, so that
     * keeping the matches only is the same.
     */
    private static Optional<Step> split(JsonNode part, boolean onlySplit) {
        JsonNode pattern = part.path("pattern").path("Regex");
        String behavior = part.path("behavior").asText();
        boolean inverted = part.path("invert").asBoolean();
        boolean isolated = behavior.equals("Isolated") && !inverted;
        boolean matchesOnly = behavior.equals("Removed") && inverted && onlySplit;
        return pattern.isTextual() && (isolated || matchesOnly)
                ? Optional.of(Step.split(pattern.textValue()))
                : Optional.empty();
    }
}
