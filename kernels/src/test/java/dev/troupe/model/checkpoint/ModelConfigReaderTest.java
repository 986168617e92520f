package dev.troupe.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.troupe.model.Checkpoints;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.weights.WeightFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelConfigReaderTest {
    @TempDir
    Path directory;

    @Test
    void readsLlama31WithItsRopeScaling() throws IOException {
        ModelConfig config = ModelConfigReader.read(Checkpoints.golden("llama31-bf16-sharded"));

        assertThat(config.modelType()).isEqualTo("llama");
        assertThat(config.layers()).isEqualTo(2);
        assertThat(config.hiddenSize()).isEqualTo(64);
        assertThat(config.intermediateSize()).isEqualTo(96);
        assertThat(config.heads()).isEqualTo(4);
        assertThat(config.kvHeads()).isEqualTo(2);
        assertThat(config.headDim()).isEqualTo(16);
        assertThat(config.vocabularySize()).isEqualTo(256);
        assertThat(config.rmsNormEps()).isEqualTo(1e-5f);
        assertThat(config.rope()).isEqualTo(new RopeConfig(500_000, new RopeConfig.Llama3(8, 1, 4, 16)));
        assertThat(config.tiedEmbeddings()).isFalse();
        assertThat(config.bosToken()).isEqualTo(1);
        assertThat(config.eosTokens()).containsExactly(2);
    }

    @Test
    void readsWhatTellsTheFamiliesApart() throws IOException {
        ModelConfig llama32 = ModelConfigReader.read(Checkpoints.golden("llama32-tied-f16"));
        ModelConfig mistral = ModelConfigReader.read(Checkpoints.golden("mistral"));
        ModelConfig qwen2 = ModelConfigReader.read(Checkpoints.golden("qwen2"));
        ModelConfig qwen3 = ModelConfigReader.read(Checkpoints.golden("qwen3"));
        ModelConfig yarn = ModelConfigReader.read(Checkpoints.golden("qwen3-yarn"));

        assertThat(llama32.headDim()).isEqualTo(24);
        assertThat(llama32.tiedEmbeddings()).isTrue();
        assertThat(mistral.window(0)).isEqualTo(8);
        assertThat(mistral.window(1)).isEqualTo(8);
        assertThat(qwen2.attentionBias()).isTrue();
        assertThat(qwen2.attentionOutputBias()).isFalse();
        assertThat(qwen2.slidingWindow()).isZero();
        assertThat(qwen3.headNorm()).isTrue();
        assertThat(qwen3.attentionBias()).isFalse();
        assertThat(yarn.rope().scaling()).isEqualTo(new RopeConfig.Yarn(4, 32, 32, 1, 0, true));
    }

    @Test
    void fillsInWhatTransformersFillsIn() throws IOException {
        ModelConfig llama = read("{\"model_type\":\"llama\"}");
        ModelConfig mistral = read("{\"model_type\":\"mistral\"}");
        ModelConfig qwen2 = read("{\"model_type\":\"qwen2\"}");
        ModelConfig qwen3 = read("{\"model_type\":\"qwen3\",\"num_key_value_heads\":null}");

        assertThat(llama.kvHeads()).isEqualTo(32);
        assertThat(llama.headDim()).isEqualTo(128);
        assertThat(llama.maxPositions()).isEqualTo(2048);
        assertThat(llama.rmsNormEps()).isEqualTo(1e-6f);
        assertThat(llama.rope()).isEqualTo(new RopeConfig(10_000, new RopeConfig.None()));
        assertThat(llama.eosTokens()).containsExactly(2);
        assertThat(mistral.kvHeads()).isEqualTo(8);
        assertThat(mistral.window(31)).isEqualTo(4096);
        assertThat(qwen2.eosTokens()).isEmpty();
        assertThat(qwen2.bosToken()).isNull();
        assertThat(qwen2.vocabularySize()).isEqualTo(151_936);
        assertThat(qwen3.headDim()).isEqualTo(128);
        assertThat(qwen3.kvHeads()).isEqualTo(32);
    }

    @Test
    void givesQwenAWindowOnlyInTheLayersThatHaveOne() throws IOException {
        String qwen = "{\"model_type\":\"qwen2\",\"num_hidden_layers\":3,\"sliding_window\":5,\"max_window_layers\":2,";

        assertThat(read(qwen + "\"use_sliding_window\":true}").windowLayers()).containsExactly(false, false, true);
        assertThat(read(qwen + "\"use_sliding_window\":true}").window(2)).isEqualTo(5);
        assertThat(read(qwen + "\"use_sliding_window\":false}").windowLayers()).containsExactly(false, false, false);
        assertThat(read(qwen
                                + "\"use_sliding_window\":true,\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_attention\"]}")
                        .windowLayers())
                .containsExactly(true, false, false);
    }

    @Test
    void takesTheEndTokensOfBothFiles() throws IOException {
        Files.writeString(directory.resolve("generation_config.json"), "{\"eos_token_id\":[9,7],\"temperature\":0.6}");

        ModelConfig config = read("{\"model_type\":\"llama\",\"eos_token_id\":[8,7]}");

        assertThat(config.eosTokens()).isEqualTo(List.of(7, 8, 9));
    }

    @Test
    void readsRopeParametersAsNewerFilesHaveThem() throws IOException {
        ModelConfig plain =
                read("{\"model_type\":\"llama\",\"rope_parameters\":{\"rope_theta\":5e5,\"rope_type\":\"default\"}}");
        ModelConfig linear = read(
                "{\"model_type\":\"llama\",\"rope_theta\":3,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5}}");
        ModelConfig yarn = read(
                "{\"model_type\":\"qwen3\",\"max_position_embeddings\":77,\"rope_scaling\":"
                        + "{\"rope_type\":\"yarn\",\"factor\":4,\"attention_factor\":1.25,\"truncate\":false,\"beta_fast\":16}}");

        assertThat(plain.rope()).isEqualTo(new RopeConfig(500_000, new RopeConfig.None()));
        assertThat(linear.rope()).isEqualTo(new RopeConfig(3, new RopeConfig.Linear(2.5)));
        assertThat(yarn.rope().scaling()).isEqualTo(new RopeConfig.Yarn(4, 77, 16, 1, 1.25, false));
    }

    @Test
    void refusesAnUnknownModelTypeByNameWithTheListThatWorks() throws IOException {
        assertRefused(
                "{\"model_type\":\"gpt2\"}", "model_type = \"gpt2\", expected one of llama, mistral, qwen2, qwen3");
        assertRefused("{}", "model_type = null, expected one of llama, mistral, qwen2, qwen3");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"hidden_act\":\"gelu\"|hidden_act = \"gelu\", expected silu",
                "\"architectures\":[\"LlamaForSequenceClassification\"]|ForCausalLM",
                "\"quantization_config\":{\"quant_method\":\"gptq\"}|quantization_config = {\"quant_method\":\"gptq\"}, expected none",
                "\"attn_logit_softcapping\":50.0|attn_logit_softcapping = 50.0, expected none",
                "\"partial_rotary_factor\":0.5|partial_rotary_factor = 0.5, expected 1",
                "\"use_mrope\":true|use_mrope = true, expected false",
                "\"sliding_window\":4096|sliding_window = 4096, expected null",
                "\"layer_types\":[\"sliding_attention\"],\"num_hidden_layers\":1|layer_types",
                "\"layer_types\":[\"full_attention\"],\"num_hidden_layers\":2|one entry for each of the 2 layers",
                "\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":2}|rope_type = \"dynamic\", expected one of default, linear, llama3, yarn",
                "\"rope_scaling\":{\"type\":\"linear\"}|factor = null, expected a number above 0",
                "\"rope_scaling\":{\"type\":\"linear\",\"factor\":-1}|factor = -1, expected a number above 0",
                "\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":\"yarn\",\"factor\":1}|type = \"linear\", expected the same",
                "\"rope_scaling\":{\"type\":\"linear\",\"factor\":1,\"mrope_section\":[1]}|mrope_section = [1], expected only the keys",
                "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2},\"rope_parameters\":{}|expected null beside rope_parameters",
                "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4,\"original_max_position_embeddings\":8}|high_freq_factor",
                "\"hidden_size\":\"64\"|hidden_size = \"64\", expected a whole number",
                "\"hidden_size\":64.5|hidden_size = 64.5, expected a whole number",
                "\"hidden_size\":4294967360|hidden_size = 4294967360, expected a whole number",
                "\"hidden_size\":0,\"head_dim\":8|hidden_size=0, expected at least 1",
                "\"hidden_size\":65|hidden_size = 65, expected a multiple of num_attention_heads = 32",
                "\"num_attention_heads\":0|num_attention_heads = 0",
                "\"num_key_value_heads\":5|num_attention_heads=32 is not a multiple of num_key_value_heads=5",
                "\"head_dim\":7|head_dim=7 is odd",
                "\"num_hidden_layers\":2000000000|num_hidden_layers = 2000000000, expected at most 100000",
                "\"rms_norm_eps\":0|rms_norm_eps = 0, expected a number above 0",
                "\"tie_word_embeddings\":1|tie_word_embeddings = 1, expected true or false",
                "\"eos_token_id\":\"</s>\"|eos_token_id = \"</s>\", expected a token id",
                "\"eos_token_id\":[-1]|eos_token_id = [-1], expected a token id"
            })
    void refusesWhatItCannotCompute(String settings, String says) throws IOException {
        assertRefused("{\"model_type\":\"llama\"," + settings + "}", says);
    }

    @Test
    void refusesFilesThatAreNoStrictJson() throws IOException {
        assertRefused("{\"model_type\":\"llama\",\"model_type\":\"llama\"}", "uplicate");
        assertRefused("[]", "does not hold a JSON object");
        assertRefused("{\"model_type\":\"llama\"} true", "goes on after");
        assertRefused("{\"model_type\":\"llama\",\"rms_norm_eps\":NaN}", "not valid JSON");
        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> ModelConfigReader.read(directory.resolve("nowhere")))
                .withMessageContaining("has no config.json");
    }

    private ModelConfig read(String json) throws IOException {
        Files.writeString(directory.resolve("config.json"), json);
        return ModelConfigReader.read(directory);
    }

    private void assertRefused(String json, String says) throws IOException {
        Files.writeString(directory.resolve("config.json"), json);
        assertThatExceptionOfType(WeightFormatException.class)
                .isThrownBy(() -> ModelConfigReader.read(directory))
                .withMessageContaining(says)
                .withMessageContaining("config.json");
    }
}
