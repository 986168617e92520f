package dev.troupe.text.gguf;

import dev.troupe.text.TokenizerFormatException;
import dev.troupe.text.gguf.PreTokenizer.Step;
import dev.troupe.weights.WeightFormatException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The names of {@code tokenizer.ggml.pre}. Writers of GGUF files name a way to cut that they have recognised; what it is
 * stands nowhere in the file, so each name stands here with what the {@code tokenizer.json} of its first model does. Names
 * that llama.cpp takes for the same way are together.
 */
final class PreTokenizers {
    private static final String PRE = "tokenizer.ggml.pre";

    private static final PreTokenizer GPT2 = PreTokenizer.of(Step.GPT2_WORDS);
    private static final PreTokenizer LLAMA3 =
            PreTokenizer.split(Patterns.CL100K).ofWholeWords();
    private static final PreTokenizer CL100K = PreTokenizer.split(Patterns.CL100K);
    private static final PreTokenizer QWEN2 = PreTokenizer.split(Patterns.QWEN2).ofComposed();
    private static final PreTokenizer STARCODER = PreTokenizer.of(Step.EACH_DIGIT, Step.GPT2_WORDS);

    /** In the order in which they are written below: of those of one way the first is the usual one. */
    private static final Map<String, PreTokenizer> BY_NAME = byName();

    /** Architectures that have one vocabulary only: their files of before the key existed. */
    private static final Map<String, String> BY_ARCHITECTURE =
            Map.of("gpt2", "gpt-2", "gptneox", "mpt", "mpt", "mpt", "falcon", "falcon");

    private PreTokenizers() {}

    private static Map<String, PreTokenizer> byName() {
        Map<String, PreTokenizer> names = new LinkedHashMap<>();
        put(names, GPT2, "gpt-2", "phi-2");
        put(names, GPT2.ofComposed(), "mpt", "olmo");
        put(
                names,
                PreTokenizer.of(Step.PUNCTUATION, Step.GPT2_WORDS, Step.DIGITS, Step.split("[0-9][0-9][0-9]")),
                "falcon");
        put(names, LLAMA3, "llama-bpe", "llama3", "llama-v3", "falcon3", "lfm2");
        put(names, CL100K, "dbrx", "smaug-bpe", "chatglm-bpe", "glm4");
        put(names, QWEN2, "qwen2", "deepseek-r1-qwen", "megrez");
        put(names, PreTokenizer.split(Patterns.QWEN35).ofComposed(), "qwen35");
        put(names, PreTokenizer.split(Patterns.O200K), "gpt-4o", "llama4");
        put(names, PreTokenizer.split(Patterns.TEKKEN).ofWholeWords(), "tekken");
        put(names, STARCODER, "starcoder", "refact", "smollm");
        put(names, STARCODER.ofComposed(), "command-r");
        put(names, deepSeekLlm(), "deepseek-llm");
        put(names, deepSeekCoder(), "deepseek-coder");
        put(
                names,
                PreTokenizer.split(Patterns.THREE_DIGITS, Patterns.IDEOGRAPHS_AND_KANA, Patterns.DEEPSEEK_V3),
                "deepseek-v3");
        return names;
    }

    private static PreTokenizer deepSeekLlm() {
        return PreTokenizer.of(
                Step.split(Patterns.BREAK),
                Step.split(Patterns.CASED_LETTERS),
                Step.split(Patterns.SIGNS),
                Step.split(Patterns.SPACE_AT_END),
                Step.split(Patterns.EAST_ASIAN),
                Step.EACH_DIGIT,
                Step.BYTES);
    }

    private static PreTokenizer deepSeekCoder() {
        return PreTokenizer.of(
                Step.split(Patterns.BREAK),
                Step.split(Patterns.LETTERS),
                Step.split(Patterns.PUNCTUATION),
                Step.split(Patterns.EAST_ASIAN),
                Step.EACH_DIGIT,
                Step.BYTES);
    }

    private static void put(Map<String, PreTokenizer> names, PreTokenizer pre, String... of) {
        for (String name : of) {
            names.put(name, pre);
        }
    }

    /** All names that work. */
    static Set<String> names() {
        return new TreeSet<>(BY_NAME.keySet());
    }

    /**
     * The usual name of a way to cut, if it has one; whether a text begins with a token of its own has a key of its own.
     *
     * @param composed as in {@link PreTokenizer}
     * @param wholeWords as in {@link PreTokenizer}
     * @param steps as in {@link PreTokenizer}
     */
    static Optional<String> nameOf(boolean composed, boolean wholeWords, List<Step> steps) {
        return BY_NAME.entrySet().stream()
                .filter(entry -> entry.getValue().composed() == composed
                        && entry.getValue().wholeWords() == wholeWords
                        && entry.getValue().steps().equals(steps))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    /**
     * How the file's texts are cut.
     *
     * @throws TokenizerFormatException if the file does not say, or names a way that is not known
     */
    static PreTokenizer of(GgufVocabulary vocabulary) throws TokenizerFormatException, WeightFormatException {
        Optional<String> written = vocabulary.metadata().text(PRE).filter(name -> !name.equals("default"));
        @Nullable String name = written.orElse(BY_ARCHITECTURE.get(architecture(vocabulary)));
        if (name == null) {
            throw vocabulary.refused(
                    "metadata key %s is absent or 'default', so how its texts are cut into words is not known; convert the model again, or set the key to one of %s"
                            .formatted(PRE, String.join(", ", names())));
        }
        PreTokenizer pre = BY_NAME.get(name);
        if (pre == null) {
            throw vocabulary.refused("metadata key %s = %s is not supported; these work: %s"
                    .formatted(PRE, WeightFormatException.shown(name), String.join(", ", names())));
        }
        return pre;
    }

    private static String architecture(GgufVocabulary vocabulary) throws WeightFormatException {
        return vocabulary.metadata().text("general.architecture").orElse("");
    }
}
