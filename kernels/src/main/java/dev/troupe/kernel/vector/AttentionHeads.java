package dev.troupe.kernel.vector;

import dev.troupe.kernel.ExactMath;

/**
 * One worker's running attention: the query heads of one KV head, for the few tokens of an item. Holds a gathered span and
 * for every token and head the maximum, the denominator and the output so far (NUMERICS rule 6).
 */
final class AttentionHeads implements AutoCloseable {
    private static final int SPAN = AttentionTiles.SPAN;

    private final Scratch scratch = new Scratch();
    private float[] maxima = new float[0];
    private float[] denominators = new float[0];
    private float[] spanMaxima = new float[0];
    private float[] spanDenominators = new float[0];
    private int heads;
    private int headDim;
    private int width;
    private float scale;
    private long keys;
    private long values;
    private long scores;
    private long spanOutputs;
    private long outputs;
    private long lanes;

    /**
     * Starts an item.
     *
     * @param heads query heads that share the KV head
     * @param width head dimension padded to a multiple of 16
     */
    void start(int tokens, int heads, int headDim, int width, float scale) {
        this.heads = heads;
        this.headDim = headDim;
        this.width = width;
        this.scale = scale;
        if (maxima.length < tokens * heads) {
            maxima = new float[tokens * heads];
            denominators = new float[tokens * heads];
        }
        if (spanMaxima.length < heads) {
            spanMaxima = new float[heads];
            spanDenominators = new float[heads];
        }
        long perHead = 4L * heads;
        keys = scratch.atLeast(
                4L * SPAN * (headDim + width) + perHead * (SPAN + width) + perHead * tokens * width + LaneTree.BYTES);
        values = keys + 4L * SPAN * headDim;
        scores = values + 4L * SPAN * width;
        spanOutputs = scores + perHead * SPAN;
        outputs = spanOutputs + perHead * width;
        lanes = outputs + perHead * tokens * width;
    }

    /** Where the keys of a span go, f32 {@code [headDim][128]}. */
    long keys() {
        return keys;
    }

    /** Where the values of a span go, f32 {@code [128][width]}. */
    long values() {
        return values;
    }

    /**
     * Adds the gathered span to token t.
     *
     * @param query address of its heads {@code [heads][headDim]}
     * @param from first visible token of the span
     * @param to one after the last
     * @param first whether no span of this token came before
     */
    void span(int t, long query, int from, int to, boolean first) {
        int low = from & -32;
        int high = (to + 31) & -32;
        score(query, low, high);
        for (int h = 0; h < heads; h++) {
            weights(h, low, from, to, high);
        }
        int state = t * heads;
        long o = outputs + 4L * state * width;
        weigh(from, to, first ? o : spanOutputs);
        for (int h = 0; h < heads; h++) {
            if (first) {
                maxima[state + h] = spanMaxima[h];
                denominators[state + h] = spanDenominators[h];
            } else {
                merge(h, state + h, o + 4L * h * width);
            }
        }
    }

    private void weights(int h, int low, int from, int to, int high) {
        long z = scores + 4L * SPAN * h;
        float maximum = SpanSoftmax.maximum(z, low, from, to, high);
        spanMaxima[h] = maximum;
        spanDenominators[h] = SpanSoftmax.weights(z, low, high, maximum, lanes);
    }

    /** Merges the span's output of head h into what came before. */
    private void merge(int h, int state, long o) {
        float m = Math.max(maxima[state], spanMaxima[h]);
        float a = ExactMath.exp(maxima[state] - m);
        float b = ExactMath.exp(spanMaxima[h] - m);
        denominators[state] = Math.fma(denominators[state], a, spanDenominators[h] * b);
        maxima[state] = m;
        SpanSoftmax.merge(o, a, spanOutputs + 4L * h * width, b, width);
    }

    /** Writes {@code o / l} of token t's heads to y, {@code [heads][headDim]}. */
    void finish(int t, long y) {
        for (int h = 0; h < heads; h++) {
            float l = denominators[t * heads + h];
            long o = outputs + 4L * (t * heads + h) * width;
            long to = y + 4L * h * headDim;
            SpanSoftmax.divide(o, l, headDim, to);
        }
    }

    private void score(long query, int low, int high) {
        int last = heads - 1;
        long q = 4L * headDim;
        long z = 4L * SPAN;
        for (int h = 0; h < heads; h += 4) {
            if (h == last) {
                AttentionTiles.scores1(
                        keys, headDim, low & -64, (high + 63) & -64, scale, query + q * h, scores + z * h);
                return;
            }
            int h2 = Math.min(h + 2, last);
            int h3 = Math.min(h + 3, last);
            AttentionTiles.scores4(
                    keys,
                    headDim,
                    low,
                    high,
                    scale,
                    query + q * h,
                    query + q * (h + 1),
                    query + q * h2,
                    query + q * h3,
                    scores + z * h,
                    scores + z * (h + 1),
                    scores + z * h2,
                    scores + z * h3);
        }
    }

    private void weigh(int from, int to, long output) {
        int last = heads - 1;
        long p = 4L * SPAN;
        long o = 4L * width;
        for (int h = 0; h < heads; h += 4) {
            if (h == last) {
                AttentionTiles.values1(values, width, from, to, scores + p * h, output + o * h);
                return;
            }
            int h2 = Math.min(h + 2, last);
            int h3 = Math.min(h + 3, last);
            AttentionTiles.values4(
                    values,
                    width,
                    from,
                    to,
                    scores + p * h,
                    scores + p * (h + 1),
                    scores + p * h2,
                    scores + p * h3,
                    output + o * h,
                    output + o * (h + 1),
                    output + o * h2,
                    output + o * h3);
        }
    }

    @Override
    public void close() {
        scratch.close();
    }
}
