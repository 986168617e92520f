package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.text.Tokenizer;
import dev.troupe.weights.gguf.GgufFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/** Vocabularies of the tests. */
final class Vocabularies {
    private static final String[] ALPHABET = alphabet();

    private Vocabularies() {}

    /** The tokenizer of a GGUF file. */
    static Tokenizer open(Path file) throws IOException {
        return GgufTokenizer.of(GgufFile.open(file).metadata()).orElseThrow();
    }

    /** A byte-level {@code tokenizer.json} as a GGUF file has it. */
    static VocabularyFile ofJson(JsonNode file, String pre) {
        int size = file.path("model").path("vocab").size()
                + file.path("added_tokens").size();
        List<String> tokens = new ArrayList<>(Collections.nCopies(size, ""));
        List<Integer> types = new ArrayList<>(Collections.nCopies(size, 1));
        file.path("model")
                .path("vocab")
                .properties()
                .forEach(entry -> tokens.set(entry.getValue().intValue(), entry.getKey()));
        for (JsonNode added : file.path("added_tokens")) {
            tokens.set(added.path("id").intValue(), added.path("content").textValue());
            types.set(added.path("id").intValue(), added.path("special").booleanValue() ? 3 : 4);
        }
        List<String> merges = new ArrayList<>();
        file.path("model").path("merges").forEach(merge -> merges.add(merge.textValue()));
        return byteLevel(tokens, types, merges, pre);
    }

    /** A byte-level vocabulary. */
    static VocabularyFile byteLevel(List<String> tokens, List<Integer> types, List<String> merges, String pre) {
        return new VocabularyFile()
                .text("general.architecture", "llama")
                .text("tokenizer.ggml.model", "gpt2")
                .text("tokenizer.ggml.pre", pre)
                .texts("tokenizer.ggml.tokens", tokens)
                .integers("tokenizer.ggml.token_type", types)
                .texts("tokenizer.ggml.merges", merges)
                .flag("tokenizer.ggml.add_bos_token", false);
    }

    /** The same where all tokens are normal ones. */
    static VocabularyFile byteLevel(List<String> tokens, List<String> merges, String pre) {
        return byteLevel(tokens, Collections.nCopies(tokens.size(), 1), merges, pre);
    }

    /** The 256 tokens of one byte. */
    static List<String> bytes() {
        return List.of(ALPHABET);
    }

    /**
     * A SentencePiece vocabulary: unknown, beginning, end, one more control token {@code <|role|>}, a user-defined
     * {@code <tool>}, 256 bytes, then {@code pieces} with scores 0, −1, ...
     */
    static VocabularyFile sentencePiece(List<String> pieces) {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>", "<|role|>", "<tool>"));
        List<Integer> types = new ArrayList<>(List.of(2, 3, 3, 3, 4));
        for (int b = 0; b < 256; b++) {
            tokens.add("<0x%02X>".formatted(b));
            types.add(6);
        }
        List<Float> scores = new ArrayList<>(Collections.nCopies(tokens.size(), 0f));
        tokens.addAll(pieces);
        IntStream.range(0, pieces.size()).forEach(i -> scores.add((float) -i));
        types.addAll(Collections.nCopies(pieces.size(), 1));
        return new VocabularyFile()
                .text("general.architecture", "llama")
                .text("tokenizer.ggml.model", "llama")
                .texts("tokenizer.ggml.tokens", tokens)
                .integers("tokenizer.ggml.token_type", types)
                .numbers("tokenizer.ggml.scores", scores)
                .integer("tokenizer.ggml.bos_token_id", 1)
                .integer("tokenizer.ggml.eos_token_id", 2)
                .integer("tokenizer.ggml.unknown_token_id", 0);
    }

    /** Bytes in GPT-2's alphabet. */
    static String inAlphabet(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(ALPHABET[b & 0xff]);
        }
        return text.toString();
    }

    /** The UTF-8 of a text in GPT-2's alphabet. */
    static String inAlphabet(String text) {
        return inAlphabet(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String[] alphabet() {
        String[] alphabet = new String[256];
        int other = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean itself = (b > ' ' && b <= '~') || (b > 0xa0 && b != 0xad);
            alphabet[b] = Character.toString(itself ? b : other++);
        }
        return alphabet;
    }
}
