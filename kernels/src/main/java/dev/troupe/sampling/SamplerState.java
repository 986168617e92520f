package dev.troupe.sampling;

import dev.troupe.kernel.LogitScaling;
import dev.troupe.sampling.guide.GuideState;
import dev.troupe.sampling.guide.TokenGuide;
import dev.troupe.tensor.Ints;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What sampling remembers of one sequence: a fold over its tokens, so that a rank that learns of the sequence late has
 * the same state as one that saw every token come. Owned by one thread.
 */
public final class SamplerState {
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

    /**
     * How the logits of {@code ids} ids from {@code firstId} on become scaled logits after these tokens.
     *
     * @throws dev.troupe.sampling.guide.automaton.GuideException if the guide allows no token
     */
    LogitScaling scaling(int firstId, int ids) {
        return new LogitScaling(
                adjusted(firstId, Math.addExact(firstId, ids)),
                parameters.repetitionPenalty(),
                parameters.frequencyPenalty(),
                parameters.presencePenalty(),
                parameters.isGreedy() ? 1 : parameters.temperature(),
                guide == null || guided == null ? null : guide.mask(guided));
    }

    /** The ids below {@code end} that penalties or bias change, as {@link LogitScaling} has them. */
    private Ints adjusted(int firstId, int end) {
        Map<Integer, Float> biases = parameters.logitBias();
        int[] words = new int[LogitScaling.WORDS * (seen.cardinality() + biases.size())];
        int at = 0;
        for (int id = seen.nextSetBit(firstId); id >= 0 && id < end; id = seen.nextSetBit(id + 1)) {
            at = put(words, at, id, LogitScaling.SEEN, biases.get(id));
        }
        for (Map.Entry<Integer, Float> bias : biases.entrySet()) {
            int id = bias.getKey();
            if (id >= firstId && id < end && !seen.get(id)) {
                at = put(words, at, id, 0, bias.getValue());
            }
        }
        return Ints.of(Arrays.copyOf(words, at));
    }

    private int put(int[] words, int at, int id, int kinds, @Nullable Float bias) {
        words[at] = id;
        words[at + 1] = completion.getOrDefault(id, 0);
        words[at + 2] = kinds | (bias == null ? 0 : LogitScaling.BIASED);
        words[at + 3] = bias == null ? 0 : Float.floatToRawIntBits(bias);
        return at + LogitScaling.WORDS;
    }
}
