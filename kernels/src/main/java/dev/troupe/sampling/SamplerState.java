package dev.troupe.sampling;

import dev.troupe.sampling.guide.GuideState;
import dev.troupe.sampling.guide.TokenGuide;
import dev.troupe.sampling.guide.TokenMask;
import dev.troupe.tensor.Ints;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What sampling remembers of one sequence: a fold over its tokens, so that a rank that learns of the sequence late has
 * the same state as one that saw every token come. Owned by one thread.
 */
public final class SamplerState {
    /**
     * What a token that the guide does not allow is given instead of its scaled logit: finite, so that sums stay numbers,
     * and below all that noise can lift.
     */
    static final float NOT_ALLOWED = -Float.MAX_VALUE;

    private final SamplingParameters parameters;
    private final int promptLength;
    private final boolean counts;
    private final BitSet seen = new BitSet();
    private final Map<Integer, Integer> completion = new HashMap<>();
    private final @Nullable TokenGuide guide;
    private @Nullable GuideState guided;
    private int length;

    /**
     * The state before the first token, without a guide.
     *
     * @param promptLength how many of the first tokens are prompt
     */
    public SamplerState(SamplingParameters parameters, int promptLength) {
        this(parameters, promptLength, null);
    }

    /**
     * The state before the first token.
     *
     * @param promptLength how many of the first tokens are prompt
     * @param guide of the completion, of this thread; null for none
     */
    public SamplerState(SamplingParameters parameters, int promptLength, @Nullable TokenGuide guide) {
        if (promptLength < 0) {
            throw new IllegalArgumentException("promptLength=%d".formatted(promptLength));
        }
        this.parameters = parameters;
        this.promptLength = promptLength;
        this.counts = parameters.hasPenalties();
        this.guide = guide;
        this.guided = guide == null ? null : guide.start();
    }

    /**
     * The next token of the sequence.
     *
     * @throws dev.troupe.sampling.guide.automaton.GuideException if it is of the completion and not allowed by the guide
     */
    public void append(int token) {
        if (token < 0) {
            throw new IllegalArgumentException("token=%d at position %d".formatted(token, length));
        }
        if (counts) {
            seen.set(token);
            if (length >= promptLength) {
                completion.merge(token, 1, Integer::sum);
            }
        }
        if (guide != null && guided != null && length >= promptLength) {
            guided = guide.advance(guided, token);
        }
        length++;
    }

    /** The next tokens of the sequence. */
    public void append(Ints tokens) {
        for (int i = 0; i < tokens.size(); i++) {
            append(tokens.get(i));
        }
    }

    /** Tokens so far: the position that the next one takes. */
    public int length() {
        return length;
    }

    /** How the sequence's tokens are drawn. */
    public SamplingParameters parameters() {
        return parameters;
    }

    boolean adjusts() {
        return (counts && length > 0) || !parameters.logitBias().isEmpty();
    }

    /**
     * Adjusts logits of ids from {@code firstId} in place: repetition, frequency, presence penalty, then the bias.
     *
     * <p>{@code z > 0 ? z / repetition : z · repetition}; {@code fma(−frequency, count, z)}; {@code z − presence};
     * {@code z + bias}.
     */
    void adjust(int firstId, float[] logits) {
        int end = firstId + logits.length;
        float repetition = parameters.repetitionPenalty();
        if (repetition != 1) {
            for (int id = seen.nextSetBit(firstId); id >= 0 && id < end; id = seen.nextSetBit(id + 1)) {
                float z = logits[id - firstId];
                logits[id - firstId] = z > 0 ? z / repetition : z * repetition;
            }
        }
        completion.forEach((id, count) -> {
            if (id >= firstId && id < end) {
                float z = Math.fma(-parameters.frequencyPenalty(), count, logits[id - firstId]);
                logits[id - firstId] = z - parameters.presencePenalty();
            }
        });
        parameters.logitBias().forEach((id, bias) -> {
            if (id >= firstId && id < end) {
                logits[id - firstId] += bias;
            }
        });
    }

    boolean isGuided() {
        return guide != null;
    }

    /** Puts tokens of ids from {@code firstId} that the guide does not allow out of reach. */
    void guide(int firstId, float[] scaled) {
        if (guide == null || guided == null) {
            return;
        }
        TokenMask mask = guide.mask(guided);
        for (int i = 0; i < scaled.length; i++) {
            if (!mask.allows(firstId + i)) {
                scaled[i] = NOT_ALLOWED;
            }
        }
    }
}
