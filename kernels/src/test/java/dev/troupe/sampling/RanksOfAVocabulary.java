package dev.troupe.sampling;

import dev.troupe.model.Partition;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** The last stage's ranks for one wanted token: each holds its rows of the logits; rank 0 draws and asks for more. */
final class RanksOfAVocabulary {
    private final List<RankRow> rows = new ArrayList<>();
    private int asked;

    /** @param bounds first row of every rank, then the vocabulary size */
    RanksOfAVocabulary(
            float[] logits, int[] bounds, int[] tokens, int promptLength, SamplingParameters parameters, int choice) {
        for (int rank = 0; rank + 1 < bounds.length; rank++) {
            float[] own = Arrays.copyOfRange(logits, bounds[rank], bounds[rank + 1]);
            SamplerState state = new SamplerState(parameters, promptLength);
            state.append(Ints.of(tokens));
            rows.add(new RankRow(new Floats(1, own.length, own), 0, bounds[rank], state, choice));
        }
    }

    /** Bounds of {@code ranks} ranks, cut at random spans; some ranks may have no rows. */
    static int[] randomBounds(SplittableRandom random, int ranks, int vocabulary) {
        int spans = Math.ceilDiv(vocabulary, Partition.VOCABULARY_SPAN);
        int[] bounds = new int[ranks + 1];
        for (int i = 1; i < ranks; i++) {
            bounds[i] = Math.min(vocabulary, random.nextInt(spans + 1) * Partition.VOCABULARY_SPAN);
        }
        bounds[ranks] = vocabulary;
        Arrays.sort(bounds);
        return bounds;
    }

    /**
     * Draws, sending more where the draw asks for it.
     *
     * @param limit what the ranks send at first
     */
    TokenDraw.Outcome draw(int limit) {
        TokenDraw draw = rows.getFirst().draw();
        List<RankCandidates> candidates = new ArrayList<>();
        for (RankRow row : rows) {
            candidates.add(row.candidates(limit));
        }
        while (draw.choose(candidates) instanceof TokenDraw.More more) {
            asked++;
            for (int i = 0; i < more.ranks().size(); i++) {
                int rank = more.ranks().get(i);
                RankCandidates again = rows.get(rank).candidates(more.limit());
                if (again.ids().size() <= candidates.get(rank).ids().size()) {
                    throw new AssertionError("rank %d had %d candidates, asked for %d it has %d"
                            .formatted(
                                    rank,
                                    candidates.get(rank).ids().size(),
                                    more.limit(),
                                    again.ids().size()));
                }
                candidates.set(rank, again);
            }
        }
        return draw.choose(candidates);
    }

    TokenDraw.Outcome draw() {
        return draw(rows.getFirst().draw().firstLimit());
    }

    /** How often the draw asked for more. */
    int asked() {
        return asked;
    }
}
