package dev.troupe.sampling;

import dev.troupe.kernel.ExactMath;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The tokens that top-k, top-p and min-p leave to draw from. Each of the three keeps a prefix of the one order of
 * sampling, so the kept set is a prefix too, and what lies behind it need not be known.
 */
final class KeptSet {
    private static final int FIRST_CAPACITY = 64;

    private final SamplingParameters parameters;
    private final CandidateMerge merge;
    private final @Nullable Denominator whole;
    private int[] ids = new int[FIRST_CAPACITY];
    private float[] scores = new float[FIRST_CAPACITY];
    private float[] logits = new float[FIRST_CAPACITY];
    private int size;
    /** Probability of the tokens that top-p let pass so far. */
    private float reached;

    /** @param whole denominator over the vocabulary, where top-p needs it */
    KeptSet(SamplingParameters parameters, CandidateMerge merge, @Nullable Denominator whole) {
        this.parameters = parameters;
        this.merge = merge;
        this.whole = whole;
    }

    /**
     * Takes candidates until the set is settled.
     *
     * @return ranks that must send more first; empty if the set is complete
     */
    List<Integer> fill() {
        boolean nucleusOfTopK = parameters.topP() < 1 && whole == null;
        int most = parameters.topK() > 0 ? parameters.topK() : Integer.MAX_VALUE;
        float denominator = whole == null ? Float.NaN : whole.sum();
        while (size < most && !(whole != null && reached >= parameters.topP())) {
            List<Integer> missing = merge.missing();
            if (!missing.isEmpty()) {
                return missing;
            }
            if (!merge.advance() || (size > 0 && merge.score() < Noise.leastThatCanWin(scores[0]))) {
                break;
            }
            if (!nucleusOfTopK && !keeps(merge.score(), denominator)) {
                break;
            }
            take();
        }
        if (nucleusOfTopK) {
            cutNucleusOfTopK();
        }
        return List.of();
    }

    /** Top-p over what top-k kept: the denominator is one chain in the order of sampling. */
    private void cutNucleusOfTopK() {
        float denominator = 0;
        for (int i = 0; i < size; i++) {
            denominator += weight(scores[i]);
        }
        int kept = 0;
        while (kept < size && !(reached >= parameters.topP()) && keeps(scores[kept], denominator)) {
            kept++;
        }
        size = kept;
    }

    /** Min-p, and the running sum of top-p; the first candidate always stays. */
    private boolean keeps(float score, float denominator) {
        float weight = weight(score);
        if (weight < parameters.minP()) {
            return false;
        }
        if (parameters.topP() < 1) {
            reached += weight / denominator;
        }
        return true;
    }

    private float weight(float score) {
        return size == 0 ? 1f : ExactMath.exp(score - scores[0]);
    }

    private void take() {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
            scores = Arrays.copyOf(scores, 2 * size);
            logits = Arrays.copyOf(logits, 2 * size);
        }
        ids[size] = merge.id();
        scores[size] = merge.score();
        logits[size] = merge.logit();
        size++;
    }

    int size() {
        return size;
    }

    int id(int index) {
        return ids[index];
    }

    float score(int index) {
        return scores[index];
    }

    float logit(int index) {
        return logits[index];
    }
}
