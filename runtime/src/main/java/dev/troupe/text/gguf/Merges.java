package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The merges of a {@code tokenizer.json} as a GGUF file has them: as lines, or as scores of the tokens that they make. */
final class Merges {
    private final TokenTable table;
    private final List<Pair> pairs = new ArrayList<>();

    private record Pair(String left, String right) {
        String joined() {
            return left + right;
        }
    }

    /**
     * @param merges pairs, or lines of two tokens and a space
     * @throws TokenizerFormatException if there are none, or one joins what are no tokens
     */
    Merges(TokenTable table, JsonNode merges) throws TokenizerFormatException {
        this.table = table;
        for (JsonNode merge : merges) {
            boolean isPair = merge.isArray() && merge.size() == 2;
            String line = isPair ? "" : merge.asText();
            int space = line.indexOf(' ');
            Pair pair = isPair
                    ? new Pair(merge.get(0).asText(), merge.get(1).asText())
                    : new Pair(line.substring(0, Math.max(space, 0)), line.substring(space + 1));
            for (String token : List.of(pair.left(), pair.right(), pair.joined())) {
                if (table.id(token) < 0) {
                    throw table.refused("merge %d is %s, but %s is no token"
                            .formatted(
                                    pairs.size(),
                                    WeightFormatException.shown(pair.left() + " " + pair.right()),
                                    WeightFormatException.shown(token)));
                }
            }
            pairs.add(pair);
        }
        if (pairs.isEmpty()) {
            throw table.refused("model.merges is absent or empty");
        }
    }

    /**
     * Lines of {@code tokenizer.ggml.merges}.
     *
     * @throws TokenizerFormatException if a token has a space in it
     */
    List<String> lines() throws TokenizerFormatException {
        List<String> lines = new ArrayList<>(pairs.size());
        for (Pair pair : pairs) {
            if (pair.joined().indexOf(' ') >= 0) {
                throw table.refused("merge %d makes %s, expected bytes in GPT-2's alphabet, which has no space"
                        .formatted(lines.size(), WeightFormatException.shown(pair.joined())));
            }
            lines.add(pair.left() + " " + pair.right());
        }
        return lines;
    }

    /**
     * Scores of {@code tokenizer.ggml.scores} that make the same merges: 0 for the token that is joined first, −1 for the
     * next, the worst for those that nothing is joined to. Tokens whose ways to be joined lie among each other have one
     * score. Which of two ways to join one token comes first is not in a GGUF file.
     *
     * @throws TokenizerFormatException if no scores make them
     */
    float[] scores() throws TokenizerFormatException {
        Map<String, Integer> lastOf = new HashMap<>();
        for (int i = 0; i < pairs.size(); i++) {
            lastOf.put(pairs.get(i).joined(), i);
        }
        Map<String, Integer> ranks = new HashMap<>();
        int rank = 0;
        int from = 0;
        int end = 0;
        for (int i = 0; i < pairs.size(); i++) {
            String joined = pairs.get(i).joined();
            ranks.put(joined, rank);
            end = Math.max(end, lastOf.getOrDefault(joined, i));
            if (i == end) {
                requireOrder(pairs.subList(from, i + 1));
                rank++;
                from = i + 1;
                end = from;
            }
        }
        float[] scores = new float[table.size()];
        Arrays.fill(scores, -rank);
        ranks.forEach((token, of) -> scores[table.id(token)] = -of);
        requireAllWays();
        return scores;
    }

    /** Of one score the longer left part comes first, then the longer right part, then the lower id. */
    private void requireOrder(List<Pair> ofOneScore) throws TokenizerFormatException {
        if (ofOneScore.stream().map(Pair::joined).distinct().count() == 1) {
            return;
        }
        Comparator<Pair> order = Comparator.<Pair>comparingInt(pair -> -length(pair.left()))
                .thenComparingInt(pair -> -length(pair.right()))
                .thenComparingInt(pair -> table.id(pair.joined()));
        for (int i = 1; i < ofOneScore.size(); i++) {
            if (order.compare(ofOneScore.get(i - 1), ofOneScore.get(i)) >= 0) {
                throw unscored("the ways to join %s do not stand together"
                        .formatted(WeightFormatException.shown(
                                ofOneScore.getFirst().joined())));
            }
        }
    }

    private static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    private void requireAllWays() throws TokenizerFormatException {
        Set<Pair> distinct = new HashSet<>(pairs);
        int ways = 0;
        for (int id = 0; id < table.size(); id++) {
            ways += requireWays(id, distinct);
        }
        if (ways != distinct.size()) {
            throw unscored("a merge joins added tokens or bytes");
        }
    }

    /** In how many ways a token is joined from two; each must be a merge. */
    private int requireWays(int id, Set<Pair> merges) throws TokenizerFormatException {
        if (table.type(id) != TokenType.NORMAL) {
            return 0;
        }
        String token = table.token(id);
        int ways = 0;
        if (length(token) > SentencePiece.LONGEST) {
            throw table.refused("token %d has more than %d characters".formatted(id, SentencePiece.LONGEST));
        }
        for (int at = 1; at < token.length(); at++) {
            boolean insideCharacter = Character.isLowSurrogate(token.charAt(at));
            String left = token.substring(0, at);
            String right = token.substring(at);
            if (!insideCharacter && isJoined(left) && isJoined(right)) {
                ways++;
                if (!merges.contains(new Pair(left, right))) {
                    throw unscored("%s and %s are not joined"
                            .formatted(WeightFormatException.shown(left), WeightFormatException.shown(right)));
                }
            }
        }
        return ways;
    }

    private boolean isJoined(String token) {
        int id = table.id(token);
        return id >= 0 && table.type(id) == TokenType.NORMAL;
    }

    private TokenizerFormatException unscored(String why) {
        return table.refused(
                "its merges are not those of a SentencePiece vocabulary, which joins whatever makes a token (%s), so a GGUF file cannot say how texts are cut"
                        .formatted(why));
    }
}
