package dev.troupe.stage;

import dev.troupe.sampling.CandidateRow;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The result of one step while rank 0 of the last stage gathers what all ranks found. Usually one round; where a draw is
 * not settled by the candidates sent, more rounds follow, each asking some ranks for more.
 */
final class PendingResult {
    private final AnswerSheet sheet;
    private final BitSet missing = new BitSet();
    private final List<Map<Integer, Integer>> asked = new ArrayList<>();
    private int round;
    private boolean settled;
    private Map<Integer, CandidateRow> ownRows = Map.of();
    private List<StageWork> work = List.of();

    PendingResult(StepBatch batch, List<SequenceTable.WantedRow> wants, int ranks) {
        this.sheet = new AnswerSheet(batch, wants, ranks);
        this.missing.set(0, ranks);
        for (int rank = 0; rank < ranks; rank++) {
            asked.add(Map.of());
        }
    }

    long step() {
        return sheet.batch().step();
    }

    /** What rank 0 itself has found, and what the step took. */
    void noteOwn(RankAnswers answers, List<StageWork> stageWork) {
        sheet.set(0, answers.answers());
        sheet.setHidden(answers.hidden());
        sheet.fail(answers.failed());
        sheet.defer(answers.deferred());
        ownRows = answers.rows();
        work = stageWork;
        missing.clear(0);
    }

    /**
     * Takes a rank's answers over.
     *
     * @throws ContradictionException if the sender, the round or the number of answers cannot be
     */
    Noted note(Candidates candidates) {
        int from = candidates.fromRank();
        if (from < 1 || from >= sheet.ranks() || candidates.round() < 0 || candidates.round() > round) {
            throw contradiction(candidates, "this is round %d among %d ranks".formatted(round, sheet.ranks()));
        }
        if (candidates.round() < round || !missing.get(from)) {
            return Noted.REPEATED;
        }
        int expected = round == 0 ? sheet.wants() : asked.get(from).size();
        if (candidates.answers().size() != expected) {
            throw contradiction(candidates, "expected %d answers".formatted(expected));
        }
        if (round == 0) {
            sheet.set(from, candidates.answers());
            sheet.fail(OpenStep.bits(candidates.failedTokens()));
            sheet.defer(OpenStep.bits(candidates.deferred()));
        } else {
            sheet.replace(from, asked.get(from).keySet(), candidates.answers());
        }
        missing.clear(from);
        return Noted.KEPT;
    }

    private static ContradictionException contradiction(Candidates candidates, String expected) {
        return new ContradictionException("epoch=%s, step=%d: %d answers of rank=%d, round=%d: %s"
                .formatted(
                        candidates.epoch(),
                        candidates.step(),
                        candidates.answers().size(),
                        candidates.fromRank(),
                        candidates.round(),
                        expected));
    }

    /** Whether the current round is whole, so that {@link #settle} may be called. */
    boolean gathered() {
        return missing.isEmpty();
    }

    /**
     * Draws what can be drawn.
     *
     * @return requests by rank; empty when every draw is settled
     */
    Map<Integer, CandidateRequest> settle() {
        while (true) {
            List<Map<Integer, Integer>> more = draw();
            Map<Integer, Integer> own = more.getFirst();
            if (!own.isEmpty()) {
                List<Candidates.Answer> answers = new ArrayList<>();
                own.forEach((want, limit) ->
                        answers.add(new Candidates.Answer(ownRow(want).candidates(limit), null)));
                sheet.replace(0, own.keySet(), answers);
            }
            Map<Integer, CandidateRequest> requests = requests(more);
            if (!requests.isEmpty() || own.isEmpty()) {
                settled = requests.isEmpty();
                return requests;
            }
        }
    }

    /** Per rank: wants that need more candidates, with the new limit. */
    private List<Map<Integer, Integer>> draw() {
        List<Map<Integer, Integer>> more = new ArrayList<>();
        for (int rank = 0; rank < sheet.ranks(); rank++) {
            more.add(new TreeMap<>());
        }
        for (int want = 0; want < sheet.wants(); want++) {
            if (sheet.open(want)) {
                switch (sheet.isScore(want)
                        ? sheet.score(want)
                        : ownRow(want).draw().choose(sheet.candidates(want))) {
                    case TokenDraw.Token token -> sheet.draw(want, token);
                    case TokenDraw.NotFinite _ -> sheet.fail(want);
                    case TokenDraw.More open -> {
                        for (int i = 0; i < open.ranks().size(); i++) {
                            more.get(open.ranks().get(i)).put(want, open.limit());
                        }
                    }
                }
            }
        }
        return more;
    }

    private CandidateRow ownRow(int want) {
        CandidateRow row = ownRows.get(want);
        if (row == null) {
            throw new IllegalStateException("step %d: rank 0 has no row for want %d".formatted(step(), want));
        }
        return row;
    }

    private Map<Integer, CandidateRequest> requests(List<Map<Integer, Integer>> more) {
        Map<Integer, CandidateRequest> requests = new TreeMap<>();
        for (int rank = 1; rank < more.size(); rank++) {
            Map<Integer, Integer> limits = more.get(rank);
            asked.set(rank, limits);
            if (!limits.isEmpty()) {
                missing.set(rank);
                requests.put(
                        rank,
                        new CandidateRequest(
                                sheet.batch().epoch(),
                                step(),
                                round + 1,
                                ints(limits.keySet()),
                                ints(limits.values())));
            }
        }
        if (!requests.isEmpty()) {
            round++;
        }
        return requests;
    }

    private static Ints ints(Collection<Integer> values) {
        return Ints.of(values.stream().mapToInt(Integer::intValue).toArray());
    }

    /** Whether every draw is settled. */
    boolean settled() {
        return settled;
    }

    /** The result, when it is {@link #settled}. */
    StepResult result() {
        return sheet.result(work);
    }
}
