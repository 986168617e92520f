package dev.troupe.stage;

import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.tensor.Floats;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** All that is known of the answers to one step's wants on rank 0 of the last stage, and the result made of it. */
final class AnswerSheet {
    private final StepBatch batch;
    private final List<SequenceTable.WantedRow> wants;
    private final List<List<Candidates.Answer>> byRank = new ArrayList<>();
    private final BitSet failed = new BitSet();
    private final BitSet deferred = new BitSet();
    private final Map<Integer, TokenDraw.Token> drawn = new HashMap<>();
    /** Hidden states and means of them. */
    private Map<Integer, Floats> hidden = Map.of();

    AnswerSheet(StepBatch batch, List<SequenceTable.WantedRow> wants, int ranks) {
        this.batch = batch;
        this.wants = wants;
        for (int rank = 0; rank < ranks; rank++) {
            byRank.add(List.of());
        }
    }

    StepBatch batch() {
        return batch;
    }

    int ranks() {
        return byRank.size();
    }

    int wants() {
        return wants.size();
    }

    /** A rank's answers to all wants. */
    void set(int rank, List<Candidates.Answer> answers) {
        byRank.set(rank, answers);
    }

    /** A rank's better answers to some wants. */
    void replace(int rank, Set<Integer> wanted, List<Candidates.Answer> answers) {
        List<Candidates.Answer> all = new ArrayList<>(byRank.get(rank));
        int next = 0;
        for (int want : wanted) {
            all.set(want, answers.get(next++));
        }
        byRank.set(rank, all);
    }

    void setHidden(Map<Integer, Floats> states) {
        hidden = states;
    }

    void fail(BitSet rows) {
        failed.or(rows);
    }

    void fail(int want) {
        failed.set(wants.get(want).row());
    }

    /** Tokens of these wants are not drawn in this step. */
    void defer(BitSet unguided) {
        deferred.or(unguided);
    }

    void draw(int want, TokenDraw.Token token) {
        drawn.put(want, token);
    }

    /** Whether a token is wanted and not drawn or scored yet. */
    boolean open(int want) {
        return (wants.get(want).kind() == Want.Kind.TOKEN || isScore(want))
                && !drawn.containsKey(want)
                && !deferred.get(want)
                && !failed.get(wants.get(want).row());
    }

    /** Whether a token that is there already is to be scored. */
    boolean isScore(int want) {
        return wants.get(want).kind() == Want.Kind.SCORE;
    }

    /** The score of a wanted token. */
    TokenDraw.Outcome score(int index) {
        SequenceTable.WantedRow want = wants.get(index);
        return want.known().scoreAfter(want.position()).merge(candidates(index));
    }

    /** What all ranks sent for a wanted token, by rank. */
    List<RankCandidates> candidates(int want) {
        List<RankCandidates> all = new ArrayList<>();
        for (int rank = 0; rank < byRank.size(); rank++) {
            RankCandidates sent = byRank.get(rank).get(want).candidates();
            all.add(present(sent, rank, want, "candidates"));
        }
        return all;
    }

    private <T> T present(@Nullable T sent, int rank, int want, String what) {
        if (sent == null) {
            throw new IllegalStateException("step %d of %s: rank %d sent no %s for want %d and named no failed token"
                    .formatted(batch.step(), batch.epoch(), rank, what, want));
        }
        return sent;
    }

    /** The result, when no want is {@link #open}. */
    StepResult result(List<StageWork> work) {
        Map<Long, StepResult.Failure> failures = failures();
        List<StepResult.Answer> answers = new ArrayList<>();
        for (int w = 0; w < wants.size(); w++) {
            if (!failures.containsKey(wants.get(w).sequence())) {
                answers.add(answer(w));
            }
        }
        return new StepResult(batch.epoch(), batch.step(), answers, List.copyOf(failures.values()), work);
    }

    private Map<Long, StepResult.Failure> failures() {
        Map<Long, StepResult.Failure> failures = new LinkedHashMap<>();
        int first = 0;
        for (StepEntry entry : batch.entries()) {
            int row = failed.nextSetBit(first);
            if (row >= 0 && row < first + entry.tokens().size()) {
                int position = entry.firstPosition() + row - first;
                failures.put(
                        entry.sequence(),
                        new StepResult.Failure(
                                entry.sequence(),
                                "a value at position %d is not finite: it has overflowed f32, or the f16 of the key-value cache; no token is drawn from it"
                                        .formatted(position)));
            }
            first += entry.tokens().size();
        }
        return failures;
    }

    private StepResult.Answer answer(int index) {
        SequenceTable.WantedRow want = wants.get(index);
        return switch (want.kind()) {
            case TOKEN ->
                deferred.get(index)
                        ? new StepResult.Deferred(want.sequence(), want.position())
                        : token(want, drawn.get(index), index);
            case ROW -> new StepResult.Row(want.sequence(), want.position(), row(index));
            case HIDDEN ->
                new StepResult.Hidden(
                        want.sequence(), want.position(), present(hidden.get(index), 0, index, "hidden state"));
            case MEAN ->
                new StepResult.Mean(want.sequence(), want.position(), present(hidden.get(index), 0, index, "mean"));
            case SCORE -> score(want, drawn.get(index), index);
        };
    }

    private StepResult.Score score(SequenceTable.WantedRow want, TokenDraw.@Nullable Token score, int index) {
        TokenDraw.Token settled = present(score, 0, index, "score");
        return new StepResult.Score(
                want.sequence(), want.position(), settled.token(), settled.logprob(), logprobs(settled));
    }

    private static List<StepResult.Logprob> logprobs(TokenDraw.Token token) {
        return token.top().stream()
                .map(top -> new StepResult.Logprob(top.token(), top.logprob()))
                .toList();
    }

    private StepResult.Token token(SequenceTable.WantedRow want, TokenDraw.@Nullable Token token, int index) {
        TokenDraw.Token settled = present(token, 0, index, "token");
        return new StepResult.Token(
                want.sequence(),
                want.position(),
                settled.token(),
                settled.logit(),
                settled.logprob(),
                logprobs(settled));
    }

    private Floats row(int want) {
        List<Floats> parts = new ArrayList<>();
        for (int rank = 0; rank < byRank.size(); rank++) {
            parts.add(present(byRank.get(rank).get(want).row(), rank, want, "row of logits"));
        }
        float[] whole = new float[parts.stream().mapToInt(Floats::columns).sum()];
        MemorySegment target = MemorySegment.ofArray(whole);
        long offset = 0;
        for (Floats part : parts) {
            part.copyTo(target.asSlice(offset, 4L * part.columns()));
            offset += 4L * part.columns();
        }
        return new Floats(1, whole.length, whole);
    }
}
