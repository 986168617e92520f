package dev.troupe.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The bytes of UTF-8 that a token stands for: the {@code decoder} of a {@code tokenizer.json}, read as a function of one
 * token, so that a text can be decoded token by token. Two kinds cover the decoder-only models: byte-level BPE, and
 * SentencePiece with byte fallback.
 *
 * <p>A run of byte-fallback tokens that is no valid UTF-8 gives U+FFFD only for what is invalid; the Hugging Face library
 * replaces the whole run, which could not be streamed.
 *
 * @param byteLevel whether each character of a token is a byte, in GPT-2's alphabet
 * @param byteFallback whether {@code <0xE2>} is a byte
 * @param replacements what is done to a token's text, in order
 * @param stripAtStart how many {@code stripped} characters are dropped from the start of a text
 * @param stripped one character, usually a space
 * @param dropAtStart a character dropped from the first token of a text, wherever it stands; empty for none
 */
record TokenBytes(
        boolean byteLevel,
        boolean byteFallback,
        List<UnaryOperator<String>> replacements,
        int stripAtStart,
        String stripped,
        String dropAtStart) {
    private static final HexFormat HEX = HexFormat.of();
    private static final int[] BYTE_OF_CHARACTER = byteOfCharacter();

    TokenBytes {
        replacements = List.copyOf(replacements);
    }

    /**
     * Reads the decoder.
     *
     * @throws IllegalArgumentException if it is none of the supported ones; the message lists them
     */
    static TokenBytes of(JsonNode decoder) {
        return new Reader().read(decoder);
    }

    /** Bytes of a token in the middle of a text. */
    byte[] of(String token) {
        if (byteLevel) {
            return ofByteLevel(token);
        }
        if (byteFallback && token.length() == 6 && token.startsWith("<0x") && token.endsWith(">")) {
            if (HexFormat.isHexDigit(token.charAt(3)) && HexFormat.isHexDigit(token.charAt(4))) {
                return HEX.parseHex(token, 3, 5);
            }
        }
        String text = token;
        for (UnaryOperator<String> replacement : replacements) {
            text = replacement.apply(text);
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Bytes of the first token of a text, before stripping. */
    byte[] ofFirst(String token) {
        return of(dropAtStart.isEmpty() ? token : token.replace(dropAtStart, ""));
    }

    private static byte[] ofByteLevel(String token) {
        byte[] bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = token.charAt(i);
            if (c >= BYTE_OF_CHARACTER.length || BYTE_OF_CHARACTER[c] < 0) {
                return token.getBytes(StandardCharsets.UTF_8);
            }
            bytes[i] = (byte) BYTE_OF_CHARACTER[c];
        }
        return bytes;
    }

    /**
     * GPT-2's alphabet: a printable Latin-1 character stands for its own byte, and the 68 other bytes, ascending, are
     * written as the characters from U+0100.
     */
    private static int[] byteOfCharacter() {
        int[] bytes = new int[0x100 + 68];
        int next = 0x100;
        for (int b = 0; b < 0x100; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
            if (printable) {
                bytes[b] = b;
            } else {
                bytes[b] = -1;
                bytes[next++] = b;
            }
        }
        return bytes;
    }

    /** One pass over a decoder and its parts. */
    private static final class Reader {
        private static final String SUPPORTED =
                "supported are ByteLevel, Metaspace, and sequences of Replace, ByteFallback, Fuse and Strip";

        private boolean byteLevel;
        private boolean byteFallback;
        private boolean fused;
        private final List<UnaryOperator<String>> replacements = new ArrayList<>();
        private int stripAtStart;
        private String stripped = " ";
        private String dropAtStart = "";

        TokenBytes read(JsonNode decoder) {
            if (decoder.path("type").asText().equals("Sequence")) {
                decoder.path("decoders").forEach(this::step);
            } else {
                step(decoder);
            }
            if (byteLevel && (byteFallback || !replacements.isEmpty())) {
                throw unsupported(decoder);
            }
            return new TokenBytes(byteLevel, byteFallback, replacements, stripAtStart, stripped, dropAtStart);
        }

        private void step(JsonNode decoder) {
            switch (decoder.path("type").asText()) {
                case "ByteLevel" -> byteLevel = true;
                case "ByteFallback" -> byteFallback = true;
                case "Fuse" -> fused = true;
                case "Replace" -> replace(decoder);
                case "Strip" -> strip(decoder);
                case "Metaspace" -> metaspace(decoder);
                default -> throw unsupported(decoder);
            }
        }

        private void replace(JsonNode decoder) {
            JsonNode pattern = decoder.path("pattern").path("String");
            if (!pattern.isTextual() || pattern.textValue().isEmpty() || byteFallback || fused) {
                throw unsupported(decoder);
            }
            String from = pattern.textValue();
            String to = decoder.path("content").asText();
            replacements.add(text -> text.replace(from, to));
        }

        private void strip(JsonNode decoder) {
            String content = decoder.path("content").asText();
            if (!fused || content.length() != 1 || decoder.path("stop").asInt() != 0 || content.charAt(0) > 0x7f) {
                throw unsupported(decoder);
            }
            stripped = content;
            stripAtStart = decoder.path("start").asInt();
        }

        private void metaspace(JsonNode decoder) {
            String replacement = decoder.path("replacement").asText();
            if (replacement.isEmpty() || byteFallback || fused) {
                throw unsupported(decoder);
            }
            boolean never = decoder.path("prepend_scheme").asText().equals("never")
                    || (decoder.has("add_prefix_space")
                            && !decoder.path("add_prefix_space").asBoolean());
            dropAtStart = never ? "" : replacement;
            replacements.add(text -> text.replace(replacement, " "));
        }

        private static IllegalArgumentException unsupported(JsonNode decoder) {
            return new IllegalArgumentException("decoder %s is not supported; %s".formatted(decoder, SUPPORTED));
        }
    }
}
