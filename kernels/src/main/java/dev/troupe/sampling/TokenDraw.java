package dev.troupe.sampling;

import dev.troupe.tensor.Ints;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One draw of a token: rank 0 merges what the ranks found in their rows and chooses. The outcome is a pure function of
 * the logits, the parameters, the choice and the position: not of the way the vocabulary is split.
 *
 * @param parameters how to draw
 * @param choice index among the choices of the generation
 * @param position position that the drawn token takes in its sequence, 0-based
 */
public record TokenDraw(SamplingParameters parameters, int choice, int position) {
    private static final int FIRST_LIMIT = 64;
    private static final int FIRST_LIMIT_OF_TOP_K = 256;
    private static final int GROWTH = 8;

    public TokenDraw {
        if (choice < 0 || position < 0) {
            throw new IllegalArgumentException("choice=%d, position=%d".formatted(choice, position));
        }
    }

    /** How a draw ends. */
    public sealed interface Outcome permits Token, More, NotFinite {}

    /**
     * The token.
     *
     * @param logit the model's own, before penalties and temperature
     * @param logprob its log-probability, NaN where the parameters do not ask for any
     * @param top the most probable tokens, descending, equal ones by id; as many as the parameters ask for
     */
    public record Token(int token, float logit, float logprob, List<Logprob> top) implements Outcome {
        public Token {
            top = List.copyOf(top);
        }
    }

    /**
     * Not settled yet: these ranks must send their first {@code limit} candidates instead of what they sent.
     *
     * @param limit grows with every answer
     * @param ranks indices into the list that was given, ascending
     */
    public record More(int limit, Ints ranks) implements Outcome {}

    /** Some rank has met a value that is not finite: the sequence fails, nothing is drawn. */
    public record NotFinite() implements Outcome {}

    /** How many candidates a rank sends at first. */
    public int firstLimit() {
        return parameters.topK() > 0 ? Math.min(parameters.topK(), FIRST_LIMIT_OF_TOP_K) : FIRST_LIMIT;
    }

    /** How many candidates a rank sends that may send {@code limit}: the one winner, or no more than top-k can take. */
    int mostCandidates(int limit) {
        if (parameters.isGreedy() || !parameters.hasFilters()) {
            return 1;
        }
        return parameters.topK() > 0 ? Math.min(parameters.topK(), limit) : limit;
    }

    /**
     * Chooses the token.
     *
     * @param byRank what {@link CandidateRow#candidates} gave, in the order of the ranks; their rows are the vocabulary
     * @throws IllegalArgumentException if the ranks together have no candidate, or sent other things than the parameters
     *     ask for
     */
    public Outcome choose(List<RankCandidates> byRank) {
        if (!byRank.stream().allMatch(RankCandidates::finite)) {
            return new NotFinite();
        }
        CandidateMerge merge = new CandidateMerge(byRank);
        if (parameters.isGreedy() || !parameters.hasFilters()) {
            requireCandidate(merge.advance(), byRank);
            return token(merge.id(), merge.logit(), byRank);
        }
        KeptSet kept = new KeptSet(parameters, merge, needsDenominator() ? denominator(byRank) : null);
        List<Integer> missing = kept.fill();
        if (!missing.isEmpty()) {
            int sent = missing.stream()
                    .mapToInt(rank -> byRank.get(rank).ids().size())
                    .max()
                    .orElseThrow();
            int limit = (int) Math.min(Integer.MAX_VALUE, (long) GROWTH * sent);
            return new More(
                    limit, Ints.of(missing.stream().mapToInt(Integer::intValue).toArray()));
        }
        requireCandidate(kept.size() > 0, byRank);
        return winner(kept, byRank);
    }

    private Token winner(KeptSet kept, List<RankCandidates> byRank) {
        Noise noise = noise();
        int best = 0;
        float bestScore = kept.score(0) + noise.of(kept.id(0));
        for (int i = 1; i < kept.size(); i++) {
            float score = kept.score(i) + noise.of(kept.id(i));
            if (score > bestScore || (score == bestScore && kept.id(i) < kept.id(best))) {
                best = i;
                bestScore = score;
            }
        }
        return token(kept.id(best), kept.logit(best), byRank);
    }

    private Token token(int id, float logit, List<RankCandidates> byRank) {
        if (!parameters.wantsLogprobs()) {
            return new Token(id, logit, Float.NaN, List.of());
        }
        List<TopLogits> tops = byRank.stream()
                .map(candidates -> require(candidates.top(), "logits for log-probabilities"))
                .toList();
        return TopLogits.report(id, logit, tops, parameters.topLogprobs());
    }

    private static Denominator denominator(List<RankCandidates> byRank) {
        return Denominator.merge(byRank.stream()
                .map(candidates -> require(candidates.spans(), "span sums for top_p"))
                .toList());
    }

    /** Top-p without top-k weighs every token against the whole vocabulary. */
    boolean needsDenominator() {
        return !parameters.isGreedy() && parameters.topP() < 1 && parameters.topK() == 0;
    }

    Noise noise() {
        return new Noise(parameters.seed(), choice, position);
    }

    static <T> T require(@Nullable T part, String what) {
        if (part == null) {
            throw new IllegalArgumentException("a rank sent no " + what);
        }
        return part;
    }

    private static void requireCandidate(boolean any, List<RankCandidates> byRank) {
        if (!any) {
            throw new IllegalArgumentException("no candidate from %d ranks".formatted(byRank.size()));
        }
    }
}
