package dev.troupe.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.weights.WeightFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class GgufConfigTest {
    @TempDir
    Path directory;

    private ModelConfig read(TinyGguf file) throws IOException {
        try (Checkpoint checkpoint = Checkpoint.open(file.write(directory.resolve("tiny.gguf")))) {
            return checkpoint.config();
        }
    }

    private static TinyGguf llama() {
        return new TinyGguf("llama");
    }

    @Test
    void readsALlama() throws IOException {
        ModelConfig config = read(llama());

        assertThat(config)
                .isEqualTo(new ModelConfig(
                        "llama",
                        1,
                        8,
                        12,
                        2,
                        1,
                        4,
                        5,
                        64,
                        1e-5f,
                        new RopeConfig(10_000, new RopeConfig.None()),
                        0,
                        List.of(false),
                        false,
                        false,
                        false,
                        false,
                        false,
                        3,
                        List.of(4)));
    }

    @Test
    void readsWhatTellsTheFamiliesApart() throws IOException {
        TinyGguf biased = new TinyGguf("qwen2")
                .tensor("blk.0.attn_q.bias", 8)
                .tensor("blk.0.attn_k.bias", 4)
                .tensor("blk.0.attn_v.bias", 4)
                .without("output.weight");
        ModelConfig qwen2 = read(biased);
        ModelConfig qwen3 = read(new TinyGguf("qwen3"));

        assertThat(qwen2.modelType()).isEqualTo("qwen2");
        assertThat(qwen2.attentionBias()).isTrue();
        assertThat(qwen2.attentionOutputBias()).isFalse();
        assertThat(qwen2.tiedEmbeddings()).isTrue();
        assertThat(qwen3.headNorm()).isTrue();
        assertThat(qwen3.attentionBias()).isFalse();
    }

    @Test
    void takesAWindowOfMistralForAllLayers() throws IOException {
        assertThat(read(llama().with("llama.attention.sliding_window", 7)).window(0))
                .isEqualTo(7);
        assertThat(read(new TinyGguf("qwen3").with("qwen3.attention.sliding_window", 64))
                        .window(0))
                .isZero();
    }

    @Test
    void takesANumberOrAnArrayWithOneNumberForAllLayers() throws IOException {
        ModelConfig config = read(llama().with("llama.attention.head_count_kv", new int[] {1}));

        assertThat(config.kvHeads()).isEqualTo(1);
    }

    @Test
    void takesAllTokensThatEndATextOrATurn() throws IOException {
        ModelConfig config =
                read(llama().with("tokenizer.ggml.eot_token_id", 2).with("tokenizer.ggml.eom_token_id", 1));

        assertThat(config.eosTokens()).containsExactly(1, 2, 4);
    }

    @Test
    void countsRowsWhereThereIsNoVocabulary() throws IOException {
        assertThat(read(llama().without("tokenizer.ggml.tokens")).vocabularySize())
                .isEqualTo(5);
    }

    @Test
    void readsEveryScalingOfTheRotation() throws IOException {
        TinyGguf linear = llama().with("llama.rope.scaling.type", "linear").with("llama.rope.scaling.factor", 4f);
        TinyGguf old = llama().with("llama.rope.scale_linear", 2f);
        TinyGguf none = llama().with("llama.rope.scaling.type", "none").with("llama.rope.freq_base", 500_000f);
        TinyGguf yarn = llama().with("llama.rope.scaling.type", "yarn")
                .with("llama.rope.scaling.factor", 4f)
                .with("llama.rope.scaling.original_context_length", 16)
                .with("llama.rope.scaling.yarn_beta_fast", 30f)
                .with("llama.rope.scaling.yarn_beta_slow", 2f)
                .with("llama.rope.scaling.finetuned", true);

        assertThat(read(linear).rope().scaling()).isEqualTo(new RopeConfig.Linear(4));
        assertThat(read(old).rope().scaling()).isEqualTo(new RopeConfig.Linear(2));
        assertThat(read(none).rope()).isEqualTo(new RopeConfig(500_000, new RopeConfig.None()));
        assertThat(read(yarn).rope().scaling()).isEqualTo(new RopeConfig.Yarn(4, 16, 30, 2, 0, true));
        assertThat(read(llama().tensor("rope_freqs.weight", 2)).rope().scaling())
                .isInstanceOfSatisfying(
                        RopeConfig.Factors.class,
                        factors -> assertThat(factors.factors()).hasSize(2));
    }

    static Stream<Arguments> refused() {
        return Stream.of(
                bad(llama().with("general.architecture", "gemma3"), "'gemma3', expected one of llama, qwen2, qwen3"),
                bad(llama().without("general.architecture"), "nothing, expected one of llama, qwen2, qwen3"),
                bad(llama().with("general.type", "adapter"), "'general.type' = 'adapter', expected model"),
                bad(llama().with("llama.expert_count", 8), "'llama.expert_count' = 8, expected 0"),
                bad(llama().with("llama.logit_scale", 0.5f), "'llama.logit_scale' = 0.5, expected 1"),
                bad(llama().with("llama.final_logit_softcapping", 30f), "softcapping' = 30.0, expected 0"),
                bad(llama().with("llama.attention.causal", false), "'llama.attention.causal' = false, expected true"),
                bad(llama().with("llama.use_parallel_residual", true), "= true, expected false"),
                bad(llama().with("llama.something.new", 1), "'llama.something.new' = 1, expected no such key"),
                bad(llama().with("llama.block_count", 2), "'llama.block_count' = 2, expected at most 1"),
                bad(llama().with("llama.block_count", -1), "= 4294967295, expected a whole number from 0"),
                bad(llama().with("llama.block_count", 0), "= 0, expected a whole number above 0"),
                bad(llama().without("llama.embedding_length"), "embedding_length' = nothing, expected a whole number"),
                bad(llama().with("llama.embedding_length", "8"), "is of type string, expected an integer"),
                bad(llama().with("llama.embedding_length", 9), "= 9, expected a multiple of attention.head_count = 2"),
                bad(llama().with("llama.embedding_length", 16), "'model.embed_tokens.weight' has shape [5, 8]"),
                bad(llama().with("llama.attention.head_count", 3), "a multiple of attention.head_count = 3"),
                bad(llama().with("llama.attention.head_count_kv", 3), "heads=2 is not a multiple of"),
                bad(llama().with("llama.attention.head_count_kv", new int[] {1, 1}), "one element for each of the 1"),
                bad(llama().with("llama.attention.value_length", 8), "value_length' = 8, expected 4"),
                bad(llama().with("llama.rope.dimension_count", 2), "= 2, expected the head dimension 4"),
                bad(llama().with("llama.attention.layer_norm_rms_epsilon", 0f), "= 0.0, expected a number above 0"),
                bad(llama().with("llama.attention.layer_norm_rms_epsilon", Float.NaN), "= NaN, expected a number"),
                bad(llama().with("llama.rope.freq_base", Float.POSITIVE_INFINITY), "Infinity, expected a number above"),
                bad(llama().with("llama.rope.scaling.type", "longrope"), "'longrope', expected one of none, linear"),
                bad(llama().with("llama.rope.scaling.type", "linear"), "scaling.factor' = nothing, expected a number"),
                bad(llama().with("llama.rope.scaling.factor", 2f), "none where rope.scaling.type is ''"),
                bad(llama().with("llama.rope.scaling.attn_factor", 2f), "attn_factor' = 2.0, expected 1"),
                bad(llama().with("llama.rope.scaling.yarn_ext_factor", 1f), "none where rope.scaling.type is ''"),
                bad(llama().with("llama.vocab_size", 4), "= 4, expected at least the 5 of tokenizer.ggml.tokens"),
                bad(llama().with("llama.vocab_size", 6), "has shape [5, 8], the configuration wants [6, 8]"),
                bad(llama().with("tokenizer.ggml.eos_token_id", 5), "'tokenizer.ggml.eos_token_id' = 5"),
                bad(new TinyGguf("qwen3").with("qwen3.attention.sliding_window", 7), "a window is not supported"),
                bad(llama().without("blk.0.ffn_up.weight"), "no tensor 'blk.0.ffn_up.weight' among its 11"),
                bad(llama().without("output_norm.weight"), "no tensor 'output_norm.weight'"),
                bad(llama().tensor("blk.0.attn_q.weight", 8, 4), "q_proj.weight' has shape [4, 8]"),
                bad(llama().tensor("blk.0.attn_q.bias", 8), "no tensor 'blk.0.attn_k.bias'"),
                bad(llama().tensor("blk.1.attn_q.weight", 8, 8), "'blk.1.attn_q.weight' is no part of a llama model"),
                bad(llama().tensor("blk.0.attn_q_norm.weight", 4), "'blk.0.attn_q_norm.weight' is no part of"),
                bad(llama().tensor("blk.0.ffn_gate_inp.weight", 8, 8), "'blk.0.ffn_gate_inp.weight' is no part of"),
                bad(llama().tensor("rope_freqs.weight", 3), "'rope_freqs.weight' has type F32 and shape [3]"),
                bad(
                        llama().tensor("rope_freqs.weight", 2)
                                .with("llama.rope.scaling.type", "linear")
                                .with("llama.rope.scaling.factor", 4f),
                        "'rope_freqs.weight' stands beside Linear[factor=4.0]"));
    }

    private static Arguments bad(TinyGguf file, String says) {
        return Arguments.of(file.build(), says);
    }

    @ParameterizedTest(name = "{1}")
    @MethodSource("refused")
    void refusesWhatIsMissingContradictoryOrNotSupported(byte[] file, String says) throws IOException {
        Path path = Files.write(directory.resolve("bad.gguf"), file);

        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> Checkpoint.open(path))
                .satisfies(e -> assertThat(e.getMessage())
                        .contains("bad.gguf")
                        .contains(says)
                        .hasSizeLessThan(500));
    }

    @Test
    void namesTheFilesOfADirectoryThatHoldsGgufFilesOnly() throws IOException {
        llama().write(directory.resolve("tiny.gguf"));

        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> Checkpoint.open(directory))
                .withMessageContaining("no config.json, but GGUF files")
                .withMessageContaining("tiny.gguf");
    }
}
