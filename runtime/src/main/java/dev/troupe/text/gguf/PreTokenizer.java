package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.Stream;

/**
 * How a text is cut into words before pairs are joined inside each; pairs never reach over a cut.
 *
 * @param composed whether the text is put into Unicode's composed form (NFC) first
 * @param wholeWords whether a word that is a token is taken whole, before any merge
 * @param begins whether a text begins with a beginning-of-sequence if the file does not say
 * @param steps applied in order, each to what the one before it left
 */
record PreTokenizer(boolean composed, boolean wholeWords, boolean begins, List<Step> steps) {
    PreTokenizer {
        steps = List.copyOf(steps);
    }

    /** The {@code pre_tokenizer} of a {@code tokenizer.json}. */
    JsonNode json() {
        return TokenizerJson.sequence(
                "pretokenizers", steps.stream().map(Step::json).toList());
    }

    /** Plain steps without a flag. */
    static PreTokenizer of(Step... steps) {
        return new PreTokenizer(false, false, false, List.of(steps));
    }

    /** Cuts around each match of each pattern, in order. */
    static PreTokenizer split(String... patterns) {
        return of(Stream.concat(Stream.of(patterns).map(Step::split), Stream.of(Step.BYTES))
                .toArray(Step[]::new));
    }

    /** The same on text in composed form. */
    PreTokenizer ofComposed() {
        return new PreTokenizer(true, wholeWords, begins, steps);
    }

    /** The same where a word may be a token without merges that lead to it, and a text begins with a token of its own. */
    PreTokenizer ofWholeWords() {
        return new PreTokenizer(composed, true, true, steps);
    }

    /**
     * One cut.
     *
     * @param type the library's name
     * @param argument a pattern, or empty
     * @param flag what the type's only setting is
     */
    record Step(String type, String argument, boolean flag) {
        /** Cuts by GPT-2's own pattern, then writes bytes in GPT-2's alphabet. */
        static final Step GPT2_WORDS = new Step("ByteLevel", "", true);

        /** Writes bytes in GPT-2's alphabet without a cut. */
        static final Step BYTES = new Step("ByteLevel", "", false);

        /** Each digit alone. */
        static final Step EACH_DIGIT = new Step("Digits", "", true);

        /** Runs of digits. */
        static final Step DIGITS = new Step("Digits", "", false);

        /** Runs of punctuation. */
        static final Step PUNCTUATION = new Step("Punctuation", "Contiguous", false);

        static Step split(String pattern) {
            return new Step("Split", pattern, false);
        }

        ObjectNode json() {
            ObjectNode step = TokenizerJson.typed(type);
            switch (type) {
                case "ByteLevel" ->
                    step.put("add_prefix_space", false)
                            .put("trim_offsets", true)
                            .put("use_regex", flag);
                case "Digits" -> step.put("individual_digits", flag);
                case "Punctuation" -> step.put("behavior", argument);
                default -> {
                    step.putObject("pattern").put("Regex", argument);
                    step.put("behavior", "Isolated").put("invert", flag);
                }
            }
            return step;
        }
    }
}
