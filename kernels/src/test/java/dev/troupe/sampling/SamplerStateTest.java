package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.tensor.Ints;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SamplerStateTest {

    @Test
    void appliesEachPenaltyToTheTokensItIsMeantFor() {
        SamplerState state = new SamplerState(penalties(2f, 0.5f, 0.25f, Map.of()), 2);
        state.append(Ints.of(0, 1, 2, 2, 1));
        float[] logits = {3f, 3f, -3f, 3f};

        state.scaling(0, logits.length).adjust(0, logits);

        assertThat(logits)
                .as("0: prompt only; 1: prompt and once in the completion; 2: twice in the completion; 3: never")
                .containsExactly(1.5f, 1.5f - 0.25f - 0.5f, -6f - 0.5f - 0.5f, 3f);
        assertThat(state.length()).isEqualTo(5);
    }

    @Test
    void addsTheBiasLastAndToUnseenTokensToo() {
        SamplerState state = new SamplerState(penalties(2f, 0f, 0f, Map.of(0, 10f, 1, -1f)), 1);
        state.append(0);
        float[] logits = {4f, 4f};

        state.scaling(0, logits.length).adjust(0, logits);

        assertThat(logits).containsExactly(12f, 3f);
    }

    @Test
    void touchesOnlyTheRanksOwnRows() {
        SamplerState state = new SamplerState(penalties(2f, 1f, 1f, Map.of(0, 5f, 300, 5f, 600, 5f)), 1);
        state.append(Ints.of(0, 0, 300, 600));
        float[] logits = new float[256];
        logits[44] = 8f;

        state.scaling(256, logits.length).adjust(256, logits);

        float[] expected = new float[256];
        expected[44] = 8f / 2f - 1f - 1f + 5f;
        assertThat(logits).containsExactly(expected);
    }

    @Test
    void isTheSameHoweverTheTokensCame() {
        SamplingParameters parameters = penalties(1.3f, 0.7f, 0.3f, Map.of());
        SamplerState oneByOne = new SamplerState(parameters, 3);
        for (int token : new int[] {5, 6, 5, 7, 7, 5}) {
            oneByOne.append(token);
        }
        SamplerState atOnce = new SamplerState(parameters, 3);
        atOnce.append(Ints.of(5, 6, 5, 7, 7, 5));
        float[] a = {1f, 2f, 3f, 4f, -5f, 6f, 7f, -8f};
        float[] b = a.clone();

        oneByOne.scaling(0, a.length).adjust(0, a);
        atOnce.scaling(0, b.length).adjust(0, b);

        assertThat(a).containsExactly(b);
    }

    static SamplingParameters penalties(float repetition, float presence, float frequency, Map<Integer, Float> bias) {
        return new SamplingParameters(1, 0, 1, 0, repetition, presence, frequency, bias, 0, -1);
    }
}
