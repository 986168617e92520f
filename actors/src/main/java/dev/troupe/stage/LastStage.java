package dev.troupe.stage;

import dev.troupe.sampling.CandidateRow;
import dev.troupe.tensor.Ints;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The end of steps on a rank of the last stage: own vocabulary rows to candidates, and on rank 0 everybody's candidates
 * to results, which leave in the order of the steps.
 */
final class LastStage implements OpenStep.Ending {
    private final ShardId id;
    private final int ranks;
    private final VocabularyRows own;
    private final StepOutput output;
    private final ShardTally tally;
    /** Rank 0: results that are not out, by step. */
    private final Deque<PendingResult> pending = new ArrayDeque<>();
    /** Other ranks: what more candidates can be taken from, by step and want. */
    private final TreeMap<Long, Map<Integer, CandidateRow>> kept = new TreeMap<>();

    /**
     * @param ranks of the last stage
     * @param own vocabulary rows of this rank
     */
    LastStage(ShardId id, int ranks, VocabularyRows own, StepOutput output, ShardTally tally) {
        this.id = id;
        this.ranks = ranks;
        this.own = own;
        this.output = output;
        this.tally = tally;
    }

    /** A step has been opened, in the order of the steps. */
    void open(OpenStep step) {
        kept.headMap(step.batch().retired(), true).clear();
        if (id.rank() == 0) {
            pending.add(new PendingResult(step.batch(), step.wants(), ranks));
        }
    }

    @Override
    public void end(OpenStep step) {
        RankAnswers answers = RankAnswers.of(step, own, id.rank() == 0);
        if (id.rank() == 0) {
            PendingResult result = pending(step.batch().step());
            if (result == null) {
                throw new IllegalStateException(
                        "step %d has no pending result".formatted(step.batch().step()));
            }
            result.noteOwn(answers, step.work(id.stage()));
            advance(result);
            return;
        }
        Map<Integer, CandidateRow> incomplete = answers.incomplete();
        if (!incomplete.isEmpty()) {
            kept.put(step.batch().step(), incomplete);
        }
        Ints failed = Ints.of(answers.failed().stream().toArray());
        Ints deferred = Ints.of(answers.deferred().stream().toArray());
        send(new Candidates(id.epoch(), step.batch().step(), id.rank(), 0, answers.answers(), failed, deferred));
    }

    private void send(Candidates candidates) {
        output.toPeer(0, candidates);
        tally.candidatesSent++;
    }

    /**
     * Takes a rank's candidates over; of a step that is open or ended here.
     *
     * @throws ContradictionException if they do not fit the step
     */
    Noted note(Candidates candidates) {
        if (id.rank() != 0) {
            throw new ContradictionException(
                    "epoch=%s, step=%d: candidates of rank %d came to rank %d; they go to rank 0"
                            .formatted(candidates.epoch(), candidates.step(), candidates.fromRank(), id.rank()));
        }
        PendingResult result = pending(candidates.step());
        if (result == null) {
            return Noted.REPEATED;
        }
        Noted noted = result.note(candidates);
        advance(result);
        return noted;
    }

    private @Nullable PendingResult pending(long step) {
        for (PendingResult result : pending) {
            if (result.step() == step) {
                return result;
            }
        }
        return null;
    }

    private void advance(PendingResult result) {
        if (!result.gathered() || result.settled()) {
            return;
        }
        result.settle().forEach((rank, request) -> {
            output.toPeer(rank, request);
            tally.candidatesSent++;
        });
        while (!pending.isEmpty() && pending.getFirst().settled()) {
            output.result(pending.removeFirst().result());
            tally.resultsSent++;
        }
    }

    /**
     * Answers rank 0's request for more.
     *
     * @param newestEnded the newest step that has ended on this rank
     * @throws ContradictionException if nothing was kept for what is asked
     */
    Noted answer(CandidateRequest request, long newestEnded) {
        Map<Integer, CandidateRow> rows = kept.get(request.step());
        if (rows == null && request.step() <= newestEnded) {
            return Noted.REPEATED;
        }
        List<Candidates.Answer> answers = new ArrayList<>();
        for (int i = 0; i < request.wants().size(); i++) {
            CandidateRow row = rows == null ? null : rows.get(request.wants().get(i));
            if (row == null || request.limits().get(i) < 1) {
                throw new ContradictionException(
                        "epoch=%s, step=%d, round=%d: want %d with limit %d was asked of rank %d, which keeps no such row"
                                .formatted(
                                        request.epoch(),
                                        request.step(),
                                        request.round(),
                                        request.wants().get(i),
                                        request.limits().get(i),
                                        id.rank()));
            }
            answers.add(new Candidates.Answer(row.candidates(request.limits().get(i)), null));
        }
        send(new Candidates(id.epoch(), request.step(), id.rank(), request.round(), answers, Ints.of(), Ints.of()));
        return Noted.KEPT;
    }

    /** Results that wait for other ranks. */
    int pendingResults() {
        return pending.size();
    }
}
