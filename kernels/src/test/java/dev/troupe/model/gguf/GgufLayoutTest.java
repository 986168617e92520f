package dev.troupe.model.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class GgufLayoutTest {
    private static ModelConfig config(String type, RopeConfig.Scaling scaling, Boolean... windows) {
        return new ModelConfig(
                type,
                2,
                64,
                96,
                4,
                2,
                16,
                256,
                128,
                1e-5f,
                new RopeConfig(10_000, scaling),
                8,
                List.of(windows),
                false,
                false,
                false,
                false,
                type.equals("qwen3"),
                1,
                List.of(2));
    }

    static Stream<Arguments> refused() {
        RopeConfig.Scaling none = new RopeConfig.None();
        return Stream.of(
                Arguments.of(
                        config("qwen3_moe", none, false, false),
                        "model_type = qwen3_moe is not written to GGUF files; these are: llama, qwen2, qwen3, mistral"),
                Arguments.of(config("qwen2", none, true, true), "sliding_window = 8 of qwen2 cannot be written"),
                Arguments.of(config("mistral", none, false, true), "sliding_window = 8 of mistral cannot be written"),
                Arguments.of(
                        config("llama", new RopeConfig.Yarn(4, 32, 32, 1, 0.5, true), false, false),
                        "attention_factor = 0.5 of yarn cannot be written"),
                Arguments.of(
                        config("llama", new RopeConfig.Yarn(4, 32, 32, 1, 0, false), false, false),
                        "truncate = false of yarn cannot be written"),
                Arguments.of(
                        config("llama", new RopeConfig.Yarn(4, 32.5, 32, 1, 0, true), false, false),
                        "original_max_position_embeddings = 32.5 of yarn cannot be written"));
    }

    @ParameterizedTest(name = "{1}")
    @MethodSource("refused")
    void refusesWhatAGgufFileHasNoKeyFor(ModelConfig config, String says) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> GgufLayout.of(config))
                .withMessageContaining(says);
    }

    @Test
    void takesTheUsualFactorOfYarnForNone() {
        double usual = RopeConfig.Yarn.magnitude(4, 1);

        assertThat(GgufLayout.of(config("llama", new RopeConfig.Yarn(4, 32, 32, 1, usual, true), false, false))
                        .name("lm_head.weight"))
                .isEqualTo("output.weight");
    }

    @Test
    void interleavesTheRowsOfQueriesAndKeysOnlyWhereTheReaderTurnsThemBack() {
        GgufLayout llama = GgufLayout.of(config("mistral", new RopeConfig.None(), true, true));
        GgufLayout qwen = GgufLayout.of(config("qwen3", new RopeConfig.None(), false, false));
        RotationOrder order = new RotationOrder(16);

        for (long row = 0; row < 64; row++) {
            long source = llama.source("model.layers.0.self_attn.q_proj.weight", row);
            assertThat(order.stored(source)).isEqualTo(row);
            assertThat(llama.source("model.layers.0.self_attn.v_proj.weight", row))
                    .isEqualTo(row);
            assertThat(qwen.source("model.layers.0.self_attn.q_proj.weight", row))
                    .isEqualTo(row);
        }
        assertThat(llama.source("model.layers.0.self_attn.k_proj.bias", 17)).isEqualTo(24);
    }
}
