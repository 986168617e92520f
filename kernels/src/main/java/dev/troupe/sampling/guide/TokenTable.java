package dev.troupe.sampling.guide;

import dev.troupe.sampling.guide.automaton.ByteSet;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Ints;
import java.util.Arrays;
import java.util.function.IntFunction;

/**
 * The bytes of every token of a vocabulary, made once per model and shared by all guides. Immutable.
 *
 * <p>A token without bytes (a special one, or an id without a token) is allowed by no guide, unless it ends the text.
 */
public final class TokenTable {
    private static final byte[] NOTHING = {};

    private final byte[][] bytes;
    private final Ints endOfText;
    private final ByteSet singleBytes;
    private final TokenTrie trie;

    /**
     * @param size one more than the largest id
     * @param bytesOf the bytes that a token stands for in the middle of a text; none for a special one
     * @param endOfText tokens of which any ends a text
     * @throws GuideException if there is no such token, or one that is not in the vocabulary
     */
    public TokenTable(int size, IntFunction<byte[]> bytesOf, Ints endOfText) {
        this.bytes = new byte[size][];
        this.endOfText = endOfText;
        if (endOfText.isEmpty() || endOfText.stream().anyMatch(id -> id < 0 || id >= size)) {
            throw new GuideException(
                    "end-of-text tokens are %s, expected at least one of the %d tokens: a guided text must be able to end"
                            .formatted(endOfText, size));
        }
        ByteSet single = new ByteSet(0, 0, 0, 0);
        for (int id = 0; id < size; id++) {
            bytes[id] = bytesOf.apply(id).clone();
            if (bytes[id].length == 1) {
                int value = bytes[id][0] & 255;
                single = single.or(ByteSet.range(value, value));
            }
        }
        endOfText.stream().forEach(id -> bytes[id] = NOTHING);
        this.singleBytes = single;
        this.trie = new TokenTrie(bytes);
    }

    /** One more than the largest id. */
    public int size() {
        return bytes.length;
    }

    /** Tokens of which any ends a text. */
    public Ints endOfText() {
        return endOfText;
    }

    boolean isEndOfText(int id) {
        return endOfText.stream().anyMatch(end -> end == id);
    }

    /** Bytes of a token as a copy; empty where it stands for no text or is not in the vocabulary. */
    public byte[] bytes(int id) {
        return own(id).clone();
    }

    byte[] own(int id) {
        return id < 0 || id >= bytes.length ? NOTHING : bytes[id];
    }

    /** The byte values that are a token by themselves: what any other token can be written by. */
    ByteSet singleBytes() {
        return singleBytes;
    }

    TokenTrie trie() {
        return trie;
    }

    @Override
    public String toString() {
        return "TokenTable[tokens=%d, longest=%d bytes]"
                .formatted(
                        size(),
                        Arrays.stream(bytes).mapToInt(b -> b.length).max().orElse(0));
    }
}
