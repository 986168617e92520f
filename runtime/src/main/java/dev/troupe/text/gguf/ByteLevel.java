package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Vocabularies of {@code tokenizer.ggml.model = gpt2}: byte-level BPE. Tokens are written in GPT-2's alphabet of bytes,
 * {@code tokenizer.ggml.merges} has the pairs in the order in which they are joined, and {@code tokenizer.ggml.pre} names
 * how a text is cut into words first.
 */
final class ByteLevel {
    private static final String MERGES = "tokenizer.ggml.merges";

    private ByteLevel() {}

    static JsonNode json(GgufVocabulary vocabulary) throws TokenizerFormatException, WeightFormatException {
        PreTokenizer pre = PreTokenizers.of(vocabulary);
        ObjectNode settings = JsonNodeFactory.instance
                .objectNode()
                .put("byte_fallback", false)
                .put("ignore_merges", pre.wholeWords());
        TokenizerJson json = new TokenizerJson(vocabulary)
                .putAddedTokens()
                .put("pre_tokenizer", pre.json())
                .putSpecialTokens(pre.begins())
                .put("decoder", PreTokenizer.Step.BYTES.json())
                .putModel(merges(vocabulary), settings);
        if (pre.composed()) {
            json.put("normalizer", TokenizerJson.typed("NFC"));
        }
        return json.file();
    }

    /** The pairs, without those that come again: only the first of equal ones has an effect. */
    private static ArrayNode merges(GgufVocabulary vocabulary) throws TokenizerFormatException, WeightFormatException {
        List<String> lines = vocabulary.metadata().texts(MERGES);
        if (lines.isEmpty()) {
            throw vocabulary.refused("metadata key %s is absent or empty".formatted(MERGES));
        }
        ArrayNode merges = JsonNodeFactory.instance.arrayNode(lines.size());
        Set<String> seen = HashSet.newHashSet(lines.size());
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            int space = line.indexOf(' ');
            if (space < 1 || space == line.length() - 1 || line.indexOf(' ', space + 1) >= 0) {
                throw vocabulary.refused("merge %d is %s, expected two tokens and a space"
                        .formatted(i, WeightFormatException.shown(line)));
            }
            if (seen.add(line)) {
                String left = line.substring(0, space);
                String right = line.substring(space + 1);
                requireTokens(vocabulary, i, line, List.of(left, right, left + right));
                merges.add(TokenizerJson.merge(left, right));
            }
        }
        return merges;
    }

    private static void requireTokens(GgufVocabulary vocabulary, int merge, String line, List<String> tokens)
            throws TokenizerFormatException {
        for (String token : tokens) {
            if (vocabulary.id(token) < 0) {
                throw vocabulary.refused("merge %d is %s, but %s is no token"
                        .formatted(merge, WeightFormatException.shown(line), WeightFormatException.shown(token)));
            }
        }
    }
}
