package dev.troupe.sampling;

import dev.troupe.sampling.guide.GuideSpec;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How a token is drawn from logits (NUMERICS rule 9). Names as in the OpenAI API.
 *
 * @param temperature 0 is greedy, and so is anything below {@link #LEAST_TEMPERATURE}
 * @param topK keep the k largest; 0 keeps all
 * @param topP keep the smallest set of the most probable tokens whose probability reaches this; 1 keeps all
 * @param minP keep tokens with at least this fraction of the largest probability; 0 keeps all
 * @param repetitionPenalty divides (positive) or multiplies (negative) the logits of tokens seen before; 1 is none
 * @param presencePenalty subtracted once from the logits of completion tokens seen before; 0 is none
 * @param frequencyPenalty subtracted for every time a completion token was seen before; 0 is none
 * @param logitBias added to the logits of these ids
 * @param seed key of the noise
 * @param topLogprobs how many of the most probable tokens to report with each token; −1 reports none, not even the own
 * @param guide what the completion must be; null for anything
 */
public record SamplingParameters(
        float temperature,
        int topK,
        float topP,
        float minP,
        float repetitionPenalty,
        float presencePenalty,
        float frequencyPenalty,
        Map<Integer, Float> logitBias,
        long seed,
        int topLogprobs,
        @Nullable GuideSpec guide) {

    /** Below it noise could only decide between logits that are equal up to rounding. */
    public static final float LEAST_TEMPERATURE = 1e-5f;

    /** The most tokens that {@link #topLogprobs} may ask for. */
    public static final int MAX_TOP_LOGPROBS = 20;

    public SamplingParameters {
        logitBias = Map.copyOf(logitBias);
        require("temperature", temperature, 0, 100);
        if (!(topP > 0 && topP <= 1)) {
            throw new IllegalArgumentException("top_p=%s, expected above 0 to 1".formatted(topP));
        }
        require("min_p", minP, 0, 1);
        require("repetition_penalty", repetitionPenalty, 0.01f, 100);
        require("presence_penalty", presencePenalty, -2, 2);
        require("frequency_penalty", frequencyPenalty, -2, 2);
        require("top_k", topK, 0, Integer.MAX_VALUE);
        require("top_logprobs", topLogprobs, -1, MAX_TOP_LOGPROBS);
        logitBias.forEach((id, bias) -> {
            require("logit_bias id", id.intValue(), 0, Integer.MAX_VALUE);
            require("logit_bias", bias.floatValue(), -100, 100);
        });
    }

    /** Without a guide. */
    public SamplingParameters(
            float temperature,
            int topK,
            float topP,
            float minP,
            float repetitionPenalty,
            float presencePenalty,
            float frequencyPenalty,
            Map<Integer, Float> logitBias,
            long seed,
            int topLogprobs) {
        this(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                logitBias,
                seed,
                topLogprobs,
                null);
    }

    private static void require(String name, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException("%s=%d, expected %d to %d".formatted(name, value, least, most));
        }
    }

    private static void require(String name, float value, float least, float most) {
        if (!(value >= least && value <= most)) {
            throw new IllegalArgumentException("%s=%s, expected %s to %s".formatted(name, value, least, most));
        }
    }

    /** The most probable token, always. */
    public static SamplingParameters greedy() {
        return new SamplingParameters(0, 0, 1, 0, 1, 0, 0, Map.of(), 0, -1);
    }

    /** These, with another guide. */
    public SamplingParameters withGuide(@Nullable GuideSpec newGuide) {
        return new SamplingParameters(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                logitBias,
                seed,
                topLogprobs,
                newGuide);
    }

    /** Whether the most probable token is taken, always. */
    public boolean isGreedy() {
        return temperature < LEAST_TEMPERATURE;
    }

    /** Whether tokens seen before change logits. */
    public boolean hasPenalties() {
        return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0;
    }

    /** Whether log-probabilities are reported. */
    public boolean wantsLogprobs() {
        return topLogprobs >= 0;
    }

    /** Whether only a part of the vocabulary is drawn from. */
    boolean hasFilters() {
        return topK > 0 || topP < 1 || minP > 0;
    }

    /**
     * Checks what only a model can tell.
     *
     * @throws IllegalArgumentException if a bias is for a token that the model does not have
     */
    public void requireFits(int vocabularySize) {
        logitBias.keySet().stream()
                .filter(id -> id >= vocabularySize)
                .sorted()
                .findFirst()
                .ifPresent(id -> {
                    throw new IllegalArgumentException("logit_bias id=%d, expected 0 to %d: the model has %d tokens"
                            .formatted(id, vocabularySize - 1, vocabularySize));
                });
    }
}
