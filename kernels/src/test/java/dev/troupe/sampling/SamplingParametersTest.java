package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class SamplingParametersTest {

    @Test
    void namesTheParameterTheValueAndTheRange() {
        assertThatThrownBy(() -> new SamplingParameters(-1, 0, 1, 0, 1, 0, 0, Map.of(), 0, -1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("temperature=-1.0, expected 0.0 to 100.0");
        assertThatThrownBy(() -> new SamplingParameters(Float.NaN, 0, 1, 0, 1, 0, 0, Map.of(), 0, -1))
                .hasMessage("temperature=NaN, expected 0.0 to 100.0");
        assertThatThrownBy(() -> new SamplingParameters(1, -2, 1, 0, 1, 0, 0, Map.of(), 0, -1))
                .hasMessage("top_k=-2, expected 0 to 2147483647");
        assertThatThrownBy(() -> new SamplingParameters(1, 0, 0, 0, 1, 0, 0, Map.of(), 0, -1))
                .hasMessage("top_p=0.0, expected above 0 to 1");
        assertThatThrownBy(() -> new SamplingParameters(1, 0, 1, 0, 1, 0, 0, Map.of(), 0, 21))
                .hasMessage("top_logprobs=21, expected -1 to 20");
    }

    @Test
    void refusesABiasForATokenTheModelDoesNotHave() {
        SamplingParameters parameters = new SamplingParameters(1, 0, 1, 0, 1, 0, 0, Map.of(3, 1f, 512, 1f), 0, -1);

        parameters.requireFits(513);

        assertThatThrownBy(() -> parameters.requireFits(512))
                .hasMessage("logit_bias id=512, expected 0 to 511: the model has 512 tokens");
    }

    @Test
    void takesATinyTemperatureForGreedy() {
        assertThat(SamplingParameters.greedy().isGreedy()).isTrue();
        assertThat(new SamplingParameters(1e-6f, 0, 1, 0, 1, 0, 0, Map.of(), 0, -1).isGreedy())
                .isTrue();
        assertThat(new SamplingParameters(1e-3f, 0, 1, 0, 1, 0, 0, Map.of(), 0, -1).isGreedy())
                .isFalse();
    }
}
