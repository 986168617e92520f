package dev.troupe.load;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;
import java.util.SplittableRandom;

/** Makes the prompt of every request. The same seed makes the same prompts. */
public sealed interface Prompts {
    /** The prompt of a request, as the API takes it: a string or an array of token ids. */
    JsonNode prompt(long request);

    /** Always the same text. */
    record Text(String text) implements Prompts {
        public Text {
            if (text.isEmpty()) {
                throw new IllegalArgumentException("--prompt is empty, expected a text");
            }
        }

        @Override
        public JsonNode prompt(long request) {
            return TextNode.valueOf(text);
        }
    }

    /**
     * Drawn ones, of which the beginning is the same in all.
     *
     * @param length tokens of each; of texts words, of which each is a token or a little more
     * @param shared tokens, or words, at the beginning that all have in common
     * @param vocabulary token ids are drawn below it
     * @param asText whether to send words instead of token ids
     */
    record Drawn(int length, int shared, int vocabulary, boolean asText, long seed) implements Prompts {
        private static final List<String> WORDS = List.of(
                "the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are", "as",
                "with", "his", "they", "at", "be", "this", "have", "from", "or", "one", "had", "by", "word", "but",
                "not", "what", "all", "were", "we", "when", "your", "can", "said", "there", "use", "an", "each",
                "which", "she", "do", "how", "their", "if", "will", "up", "other", "about", "out", "many", "then",
                "them", "these", "so", "some", "her", "would", "make", "like", "him");

        /** What is drawn for all requests together. */
        private static final long OF_ALL = Long.MIN_VALUE;

        public Drawn {
            if (length < 1 || length > 10_000_000) {
                throw new IllegalArgumentException("--prompt-tokens %d, expected 1 to 10000000".formatted(length));
            }
            if (shared < 0 || shared > length) {
                throw new IllegalArgumentException("shared=%d, expected 0 to %d".formatted(shared, length));
            }
            if (vocabulary < 2) {
                throw new IllegalArgumentException("--vocabulary %d, expected at least 2".formatted(vocabulary));
            }
        }

        @Override
        public JsonNode prompt(long request) {
            SplittableRandom common = random(OF_ALL);
            SplittableRandom own = random(request);
            return asText ? words(common, own) : ids(common, own);
        }

        private SplittableRandom random(long request) {
            return new SplittableRandom(new SplittableRandom(seed).nextLong() ^ (request * 0x9E37_79B9_7F4A_7C15L));
        }

        private JsonNode ids(SplittableRandom common, SplittableRandom own) {
            ArrayNode ids = JsonNodeFactory.instance.arrayNode(length);
            for (int i = 0; i < length; i++) {
                ids.add((i < shared ? common : own).nextInt(vocabulary));
            }
            return ids;
        }

        private JsonNode words(SplittableRandom common, SplittableRandom own) {
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < length; i++) {
                text.append(i == 0 ? "" : " ").append(WORDS.get((i < shared ? common : own).nextInt(WORDS.size())));
            }
            return TextNode.valueOf(text.toString());
        }
    }
}
