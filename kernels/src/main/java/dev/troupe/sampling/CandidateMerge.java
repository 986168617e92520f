package dev.troupe.sampling;

import java.util.ArrayList;
import java.util.List;

/**
 * The candidates of all ranks in the one order of sampling, one after the other, as far as what the ranks sent settles
 * it: behind the last candidate of a rank that has more, nothing is settled.
 */
final class CandidateMerge {
    private final List<RankCandidates> byRank;
    private final int[] next;
    private int rank;

    CandidateMerge(List<RankCandidates> byRank) {
        this.byRank = byRank;
        this.next = new int[byRank.size()];
    }

    /** Ranks that must send more before the order can go on; empty if it can. */
    List<Integer> missing() {
        List<Integer> ranks = new ArrayList<>();
        for (int r = 0; r < next.length; r++) {
            if (next[r] == byRank.get(r).ids().size() && !byRank.get(r).complete()) {
                ranks.add(r);
            }
        }
        return ranks;
    }

    /** Steps to the next candidate; false at the end. No rank may be {@link #missing()}. */
    boolean advance() {
        long best = Long.MIN_VALUE;
        int bestRank = -1;
        for (int r = 0; r < next.length; r++) {
            RankCandidates candidates = byRank.get(r);
            if (next[r] < candidates.ids().size()) {
                long pair = Ranking.pair(
                        candidates.scores().get(0, next[r]), candidates.ids().get(next[r]));
                if (bestRank < 0 || pair > best) {
                    best = pair;
                    bestRank = r;
                }
            }
        }
        if (bestRank < 0) {
            return false;
        }
        rank = bestRank;
        next[bestRank]++;
        return true;
    }

    int id() {
        return byRank.get(rank).ids().get(next[rank] - 1);
    }

    float score() {
        return byRank.get(rank).scores().get(0, next[rank] - 1);
    }

    float logit() {
        return byRank.get(rank).logits().get(0, next[rank] - 1);
    }
}
