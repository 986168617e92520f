package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;

/**
 * Vocabularies of {@code tokenizer.ggml.model = llama}: SentencePiece's BPE, which has a score for every token instead of
 * a list of merges. Of all neighbours that together are a token, those with the best score are joined first, and among
 * equal ones the leftmost. A character that is no token becomes its bytes of UTF-8, {@code <0xE2>}. A space is written
 * U+2581, and one is put before a text and behind an added token, unless {@code tokenizer.ggml.add_space_prefix} says no.
 *
 * <p>The library knows merges only, so they are made from the scores: each way to split a token into two tokens is a
 * merge, and the better the score of the whole the earlier it comes. Two ways to split one token have the same score; the
 * longer left part comes first, then the lower id, which is what the files of Llama 2 have. SentencePiece learns no two
 * tokens of the same score; if a file has such, the leftmost is not always first.
 */
final class SentencePiece {
    static final String SPACE = "\u2581";

    /** SentencePiece's own limit of {@code max_sentencepiece_length}, in characters. */
    static final int LONGEST = 512;

    private final GgufVocabulary vocabulary;
    private final float[] scores;

    private SentencePiece(GgufVocabulary vocabulary, float[] scores) {
        this.vocabulary = vocabulary;
        this.scores = scores;
    }

    static JsonNode json(GgufVocabulary vocabulary) throws TokenizerFormatException, WeightFormatException {
        float[] scores = vocabulary.metadata().numbers("tokenizer.ggml.scores");
        if (scores.length != vocabulary.size()) {
            throw vocabulary.refused(
                    "metadata key tokenizer.ggml.scores has %d scores, expected one for each of the %d tokens"
                            .formatted(scores.length, vocabulary.size()));
        }
        return new SentencePiece(vocabulary, scores).json();
    }

    private JsonNode json() throws TokenizerFormatException, WeightFormatException {
        boolean prefix = vocabulary.flag("add_space_prefix", true);
        ObjectNode settings = JsonNodeFactory.instance
                .objectNode()
                .put("byte_fallback", requireBytes())
                .put("fuse_unk", true)
                .put("ignore_merges", false);
        unknown().ifPresent(id -> settings.put("unk_token", vocabulary.token(id)));
        return new TokenizerJson(vocabulary)
                .putAddedTokens()
                .put("normalizer", normalizer(prefix))
                .putSpecialTokens(true)
                .put("decoder", decoder(prefix))
                .putModel(merges(), settings)
                .file();
    }

    private OptionalInt unknown() throws TokenizerFormatException, WeightFormatException {
        OptionalInt named = vocabulary.named("unknown");
        for (int id = 0; id < vocabulary.size() && named.isEmpty(); id++) {
            if (vocabulary.type(id) == TokenType.UNKNOWN
                    && !vocabulary.token(id).isEmpty()) {
                return OptionalInt.of(id);
            }
        }
        return named;
    }

    /** Whether there are byte tokens; each must be written as one. */
    private boolean requireBytes() throws TokenizerFormatException {
        boolean found = false;
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.type(id) == TokenType.BYTE) {
                if (!vocabulary.token(id).matches("<0x[0-9A-F]{2}>")) {
                    throw vocabulary.refused("token %d is of type byte and written %s, expected <0x00> to <0xFF>"
                            .formatted(id, WeightFormatException.shown(vocabulary.token(id))));
                }
                found = true;
            }
        }
        return found;
    }

    /** How a text is written before it is cut. */
    static ObjectNode normalizer(boolean prefix) {
        List<ObjectNode> steps = new ArrayList<>();
        if (prefix) {
            steps.add(TokenizerJson.typed("Prepend").put("prepend", SPACE));
        }
        steps.add(replace(" ", SPACE));
        return TokenizerJson.sequence("normalizers", steps);
    }

    /** How tokens become text. */
    static ObjectNode decoder(boolean prefix) {
        List<ObjectNode> steps = new ArrayList<>(
                List.of(replace(SPACE, " "), TokenizerJson.typed("ByteFallback"), TokenizerJson.typed("Fuse")));
        if (prefix) {
            steps.add(TokenizerJson.typed("Strip")
                    .put("content", " ")
                    .put("start", 1)
                    .put("stop", 0));
        }
        return TokenizerJson.sequence("decoders", steps);
    }

    private static ObjectNode replace(String from, String to) {
        ObjectNode replace = TokenizerJson.typed("Replace");
        replace.putObject("pattern").put("String", from);
        return replace.put("content", to);
    }

    /** A way to split a token in two; lengths in characters. */
    private record Split(String left, String right, int leftLength, int rightLength, float score) {}

    private ArrayNode merges() throws TokenizerFormatException {
        List<Split> splits = new ArrayList<>();
        for (int id = 0; id < vocabulary.size(); id++) {
            if (isJoined(id)) {
                addSplits(id, splits);
            }
        }
        splits.sort(Comparator.comparingDouble(Split::score)
                .thenComparingInt(Split::leftLength)
                .thenComparingInt(Split::rightLength)
                .reversed());
        ArrayNode merges = JsonNodeFactory.instance.arrayNode(splits.size());
        splits.forEach(split -> merges.add(TokenizerJson.merge(split.left(), split.right())));
        return merges;
    }

    private void addSplits(int id, List<Split> to) throws TokenizerFormatException {
        String token = vocabulary.token(id);
        int length = token.codePointCount(0, token.length());
        if (length > LONGEST) {
            throw vocabulary.refused("token %d has %d characters, expected at most %d".formatted(id, length, LONGEST));
        }
        if (!Float.isFinite(scores[id])) {
            throw vocabulary.refused("token %d has the score %s, expected a number".formatted(id, scores[id]));
        }
        int at = 0;
        for (int before = 1; before < length; before++) {
            at = token.offsetByCodePoints(at, 1);
            String left = token.substring(0, at);
            if (isJoined(vocabulary.id(left))) {
                String right = token.substring(at);
                if (isJoined(vocabulary.id(right))) {
                    to.add(new Split(left, right, before, length - before, scores[id]));
                }
            }
        }
    }

    /** Whether text is made of it: an added token is found before, and a byte token only stands for a byte. */
    private boolean isJoined(int id) {
        if (id < 0) {
            return false;
        }
        TokenType type = vocabulary.type(id);
        return type == TokenType.NORMAL || type == TokenType.UNUSED;
    }
}
