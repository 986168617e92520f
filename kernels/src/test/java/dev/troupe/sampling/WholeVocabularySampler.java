package dev.troupe.sampling;

import dev.troupe.kernel.ExactMath;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * NUMERICS rule 9 written down as plainly as it goes, over one whole row: full sorts, no limits, no skipping, noise for
 * every token. Shares with the code under test only the elementary functions and the noise.
 */
final class WholeVocabularySampler {
    private final SamplingParameters parameters;
    private final float[] logits;
    private final float[] scaled;

    WholeVocabularySampler(SamplingParameters parameters, float[] logits, int[] tokens, int promptLength) {
        this.parameters = parameters;
        this.logits = logits;
        this.scaled = logits.clone();
        Set<Integer> seen = new HashSet<>();
        int[] counts = new int[logits.length];
        for (int i = 0; i < tokens.length; i++) {
            seen.add(tokens[i]);
            counts[tokens[i]] += i >= promptLength ? 1 : 0;
        }
        for (int id = 0; id < logits.length; id++) {
            float z = logits[id];
            if (seen.contains(id) && parameters.repetitionPenalty() != 1) {
                z = z > 0 ? z / parameters.repetitionPenalty() : z * parameters.repetitionPenalty();
            }
            if (counts[id] > 0) {
                z = Math.fma(-parameters.frequencyPenalty(), counts[id], z);
                z = z - parameters.presencePenalty();
            }
            Float bias = parameters.logitBias().get(id);
            if (bias != null) {
                z += bias;
            }
            scaled[id] = parameters.isGreedy() ? z : z / parameters.temperature();
        }
    }

    TokenDraw.Token draw(int choice, int position) {
        int token = token(new Noise(parameters.seed(), choice, position));
        if (parameters.topLogprobs() < 0) {
            return new TokenDraw.Token(token, logits[token], Float.NaN, List.of());
        }
        float m = max(logits, 0, logits.length);
        float logOfSum = ExactMath.log(denominator(logits));
        List<Logprob> top = order(logits).stream()
                .limit(parameters.topLogprobs())
                .map(id -> new Logprob(id, (logits[id] - m) - logOfSum))
                .toList();
        return new TokenDraw.Token(token, logits[token], (logits[token] - m) - logOfSum, top);
    }

    private int token(Noise noise) {
        List<Integer> kept = order(scaled);
        if (parameters.isGreedy()) {
            return kept.getFirst();
        }
        float m = scaled[kept.getFirst()];
        float denominator = denominator(scaled);
        if (parameters.topK() > 0) {
            kept = kept.subList(0, Math.min(parameters.topK(), kept.size()));
            denominator = 0;
            for (int id : kept) {
                denominator += ExactMath.exp(scaled[id] - m);
            }
        }
        if (parameters.topP() < 1) {
            float reached = 0;
            int size = 0;
            while (size < kept.size() && reached < parameters.topP()) {
                reached += ExactMath.exp(scaled[kept.get(size++)] - m) / denominator;
            }
            kept = kept.subList(0, size);
        }
        int size = 1;
        while (size < kept.size() && ExactMath.exp(scaled[kept.get(size)] - m) >= parameters.minP()) {
            size++;
        }
        kept = new ArrayList<>(kept.subList(0, size));
        kept.sort(Comparator.naturalOrder());
        int best = kept.getFirst();
        float bestScore = Float.NEGATIVE_INFINITY;
        for (int id : kept) {
            float score = scaled[id] + noise.of(id);
            if (score > bestScore) {
                best = id;
                bestScore = score;
            }
        }
        return best;
    }

    private static List<Integer> order(float[] values) {
        List<Integer> ids = new ArrayList<>();
        for (int id = 0; id < values.length; id++) {
            ids.add(id);
        }
        ids.sort((a, b) -> values[a] == values[b] ? a - b : values[a] > values[b] ? -1 : 1);
        return ids;
    }

    private static float denominator(float[] values) {
        float m = 0;
        float l = 0;
        for (int from = 0; from < values.length; from += 256) {
            int to = Math.min(values.length, from + 256);
            float m2 = max(values, from, to);
            float[] a = new float[32];
            for (int id = from; id < to; id++) {
                a[id % 32] += ExactMath.exp(values[id] - m2);
            }
            for (int half : new int[] {16, 8, 4, 2, 1}) {
                for (int i = 0; i < half; i++) {
                    a[i] += a[i + half];
                }
            }
            if (from == 0) {
                m = m2;
                l = a[0];
            } else {
                float both = Math.max(m, m2);
                l = Math.fma(l, ExactMath.exp(m - both), a[0] * ExactMath.exp(m2 - both));
                m = both;
            }
        }
        return l;
    }

    private static float max(float[] values, int from, int to) {
        float m = values[from];
        for (int i = from; i < to; i++) {
            m = Math.max(m, values[i]);
        }
        return m;
    }
}
