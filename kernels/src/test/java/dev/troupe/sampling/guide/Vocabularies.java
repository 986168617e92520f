package dev.troupe.sampling.guide;

import dev.troupe.tensor.Ints;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Small vocabularies of the kinds that models have; the last two tokens end a text, the first two stand for no text. */
final class Vocabularies {
    private static final byte[] SPECIAL = {};
    private static final String SAMPLE =
            "{\"name\": \"Zoë €5 😀\", \"list\": [1, -2.5e10, true, false, null], \"a\":{\"b\":[{}]}, \"x\\n\\u00e9\":\"\"}]}}\"},";

    private Vocabularies() {}

    /** Every byte, and nothing else: the id of byte b is 2 + b. */
    static TokenTable bytes() {
        return table(singleBytes());
    }

    /** Every byte, and random pieces of a JSON text, many of which cut a character in two: byte-level BPE. */
    static TokenTable pieces(long seed) {
        Random random = new Random(seed);
        List<byte[]> tokens = singleBytes();
        byte[] sample = SAMPLE.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < 300; i++) {
            int from = random.nextInt(sample.length - 9);
            tokens.add(Arrays.copyOfRange(sample, from, from + 2 + random.nextInt(7)));
        }
        return table(tokens);
    }

    /** ASCII, whole characters beyond it, and no token for their bytes. */
    static TokenTable characters() {
        List<byte[]> tokens = new ArrayList<>();
        for (int b = 0; b < 128; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        for (String text : List.of("ë", "€", "😀", " €", "\",", "\":", "\"}", "{\"", "€€€", "true", "null")) {
            tokens.add(text.getBytes(StandardCharsets.UTF_8));
        }
        return table(tokens);
    }

    private static List<byte[]> singleBytes() {
        List<byte[]> tokens = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        return tokens;
    }

    private static TokenTable table(List<byte[]> tokens) {
        List<byte[]> all = new ArrayList<>(List.of(SPECIAL, SPECIAL));
        all.addAll(tokens);
        all.add(SPECIAL);
        all.add("</s>".getBytes(StandardCharsets.UTF_8));
        return new TokenTable(all.size(), all::get, Ints.of(all.size() - 2, all.size() - 1));
    }

    /** Tokens of one byte each. */
    static Ints tokens(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int[] ids = new int[bytes.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = 2 + (bytes[i] & 255);
        }
        return Ints.of(ids);
    }
}
