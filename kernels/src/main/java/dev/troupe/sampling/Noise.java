package dev.troupe.sampling;

import dev.troupe.kernel.ExactMath;

/**
 * The noise of one draw: a standard Gumbel number for every token id, a pure function of (seed, choice, position, id).
 * The argmax of logit / temperature + noise is a draw from the softmax of logit / temperature, so no probability is
 * ever summed (NUMERICS rule 9). Not thread-safe: it has a scratch counter.
 */
final class Noise {
    /** A value this far below another cannot reach it: the largest noise is 21.49, the smallest −2.82. */
    static final float REACH = 25f;

    /** Below this magnitude the gap between reach and noise is larger than what rounding a score can bridge. */
    private static final float REACH_HOLDS_BELOW = 0x1p20f;

    private final long seed;
    private final int choice;
    private final int position;
    private final int[] counter = new int[4];

    /**
     * @param seed key of the generator
     * @param choice index among the choices of a generation
     * @param position position that the drawn token takes in its sequence, 0-based
     */
    Noise(long seed, int choice, int position) {
        this.seed = seed;
        this.choice = choice;
        this.position = position;
    }

    /** Noise of a token, −2.82 to 21.49. */
    float of(int token) {
        counter[0] = choice;
        counter[1] = position;
        counter[2] = token;
        counter[3] = 0;
        Philox.block(seed, counter);
        return fromBits(counter[0]);
    }

    /** {@code v = min((float)(bits >>> 1 | 1) · 2^-31, 1 − 2^-24)}; {@code −log(−log1p(−v))}. */
    static float fromBits(int bits) {
        float v = Math.min((float) ((bits >>> 1) | 1) * 0x1p-31f, 1f - 0x1p-24f);
        return -ExactMath.log(-ExactMath.log1p(-v));
    }

    /**
     * What a scaled logit must reach so that its token can win beside one of {@code largest}: leaving smaller ones out
     * changes no draw. −∞ where scores are so large that rounding could make them equal.
     */
    static float leastThatCanWin(float largest) {
        return Math.abs(largest) < REACH_HOLDS_BELOW ? largest - REACH : Float.NEGATIVE_INFINITY;
    }
}
