package dev.troupe.kernel;

import dev.troupe.tensor.Ints;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * How the scaled logits of a row come of its logits before a token is drawn (NUMERICS rule 9): penalties and bias of some ids, then
 * the temperature, then {@link #NOT_ALLOWED} for ids that may not follow. Immutable, so that it says the same later.
 *
 * @param adjusted ids whose logits change, each once, with {@value #WORDS} ints each: the id, how often it is in the completion,
 *     {@link #SEEN} and {@link #BIASED} as bits, the bits of the bias
 * @param repetition divides (positive) or multiplies (negative) the logits of seen ids
 * @param frequency is subtracted as often as an id is in the completion
 * @param presence is subtracted once of ids in the completion
 * @param temperature divides all; 1 leaves them
 * @param allowed ids that may follow; null for all
 */
public record LogitScaling(
        Ints adjusted,
        float repetition,
        float frequency,
        float presence,
        float temperature,
        @Nullable AllowedIds allowed) {
    /** Leaves logits as they are. */
    public static final LogitScaling NONE = new LogitScaling(Ints.of(), 1, 0, 0, 1, null);

    /** Ints for an adjusted id. */
    public static final int WORDS = 4;

    /** The id is in the prompt or the completion. */
    public static final int SEEN = 1;

    /** A bias is added. */
    public static final int BIASED = 2;

    /**
     * What an id that is not allowed has instead of its scaled logit: finite, so that sums stay numbers, and below all that noise can
     * lift.
     */
    public static final float NOT_ALLOWED = -Float.MAX_VALUE;

    public LogitScaling {
        Objects.requireNonNull(adjusted);
        if (adjusted.size() % WORDS != 0 || !(temperature > 0)) {
            throw new IllegalArgumentException("adjusted=%d ints, temperature=%s; expected %d ints an id, and above 0"
                    .formatted(adjusted.size(), temperature, WORDS));
        }
    }

    /** Whether scaled logits are the logits. */
    public boolean changesNothing() {
        return adjusted.isEmpty() && temperature == 1 && allowed == null;
    }

    /** Makes scaled logits of the logits of ids from {@code firstId} on, in place; all adjusted ids are among them. */
    public void apply(int firstId, float[] logits) {
        adjust(firstId, logits);
        if (temperature != 1) {
            for (int i = 0; i < logits.length; i++) {
                logits[i] = logits[i] / temperature;
            }
        }
        for (int i = 0; allowed != null && i < logits.length; i++) {
            if (!allowed.allows(firstId + i)) {
                logits[i] = NOT_ALLOWED;
            }
        }
    }

    /**
     * Penalties and bias alone: {@code z > 0 ? z / repetition : z · repetition}; {@code fma(−frequency, count, z)};
     * {@code z − presence}; {@code z + bias}.
     */
    public void adjust(int firstId, float[] logits) {
        for (int at = 0; at < adjusted.size(); at += WORDS) {
            int i = adjusted.get(at) - firstId;
            int count = adjusted.get(at + 1);
            int kinds = adjusted.get(at + 2);
            float z = logits[i];
            if ((kinds & SEEN) != 0) {
                z = z > 0 ? z / repetition : z * repetition;
            }
            if (count > 0) {
                z = Math.fma(-frequency, count, z) - presence;
            }
            if ((kinds & BIASED) != 0) {
                z += Float.intBitsToFloat(adjusted.get(at + 3));
            }
            logits[i] = z;
        }
    }
}
