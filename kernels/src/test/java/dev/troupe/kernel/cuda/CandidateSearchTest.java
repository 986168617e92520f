package dev.troupe.kernel.cuda;

import static dev.troupe.kernel.cuda.DeviceWork.everySchedule;
import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.AllowedIds;
import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.FoundCandidates;
import dev.troupe.kernel.LogitScaling;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.RowDraw;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.SearchedRow;
import dev.troupe.sampling.TokenScore;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Tensor;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a rank sends of rows that the stand-in driver searched is what it sends of the same rows on the host, bit for bit. */
@StandInTest
class CandidateSearchTest {
    private static final int ROWS = 5;

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 32, 33, 257, 2049, 5000})
    void findsWhatTheHostFinds(int ids) throws Exception {
        AtomicInteger onHost = new AtomicInteger();
        everySchedule(work -> {
            CandidateSearch search = work.closing(new CandidateSearch(work.stream));
            SplittableRandom random = new SplittableRandom(ids);
            for (int step = 0; step < 4; step++) {
                compare(work, search, random, ids, 256 * random.nextInt(3), onHost);
            }
        });
        if (ids > CandidateQuery.MOST) {
            assertThat(onHost.get()).as("rows that had to be asked for").isPositive();
        }
    }

    @Test
    void findsWhatTheHostFindsInALargeVocabulary() throws Exception {
        StandIn.set("schedule", 2);
        try (DeviceWork work = new DeviceWork()) {
            CandidateSearch search = work.closing(new CandidateSearch(work.stream));
            SplittableRandom random = new SplittableRandom(128_256);
            compare(work, search, random, 128_256, 0, new AtomicInteger());
        }
    }

    private static void compare(
            DeviceWork work,
            CandidateSearch search,
            SplittableRandom random,
            int ids,
            int firstId,
            AtomicInteger onHost) {
        Floats logits = logits(random, ids);
        List<RowDraw> draws = new ArrayList<>();
        for (int row = 0; row < ROWS; row++) {
            draws.add(draw(random, firstId, ids));
        }

        List<FoundCandidates> found = search.candidates(
                upload(work, logits),
                firstId,
                draws.stream().map(RowDraw::query).toList());

        for (int row = 0; row < ROWS; row++) {
            Floats own = logits.slice(row, row + 1);
            RowDraw draw = draws.get(row);
            RankRow expected = new RankRow(own, 0, draw);
            SearchedRow searched = new SearchedRow(draw, found.get(row), () -> {
                onHost.incrementAndGet();
                return own;
            });
            for (int limit : new int[] {draw.draw().firstLimit(), 1, 3, 512, 4096, ids}) {
                assertThat(searched.candidates(limit))
                        .as("row %d with %s, limit %d", row, draw, limit)
                        .isEqualTo(expected.candidates(limit));
            }
            assertThat(found.get(row).finiteLogits()).isEqualTo(finite(own));
        }
    }

    private static boolean finite(Floats row) {
        boolean finite = true;
        for (int i = 0; i < row.columns(); i++) {
            finite &= Float.isFinite(row.get(0, i));
        }
        return finite;
    }

    private static Tensor upload(DeviceWork work, Floats logits) {
        Tensor host = Tensor.floats(work.arena, logits.rows() + 1, logits.columns());
        host.setRows(0, logits);
        return work.upload(host);
    }

    /** Few different values, so that ties are common; sometimes so large that noise drowns in rounding, or not finite. */
    private static Floats logits(SplittableRandom random, int ids) {
        float[] logits = new float[ROWS * ids];
        for (int row = 0; row < ROWS; row++) {
            int kind = random.nextInt(8);
            for (int i = row * ids; i < (row + 1) * ids; i++) {
                logits[i] = switch (kind) {
                    case 0, 1 -> (float) random.nextGaussian(0, 2);
                    case 2 -> (float) random.nextGaussian(0, 12);
                    case 3 -> random.nextInt(-4, 5) * 0.5f;
                    case 4 -> random.nextBoolean() ? 0f : -0f;
                    case 5 -> -7.25f;
                    case 6 -> 3e7f + random.nextInt(0, 12) * 4f;
                    default -> (float) random.nextGaussian(0, 1e38);
                };
            }
            if (random.nextInt(8) == 0) {
                float[] bad = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
                logits[row * ids + random.nextInt(ids)] = bad[random.nextInt(3)];
            }
        }
        return new Floats(ROWS, ids, logits);
    }

    private static RowDraw draw(SplittableRandom random, int firstId, int ids) {
        Map<Integer, Float> bias = new HashMap<>();
        if (random.nextInt(3) == 0) {
            random.ints(5, 0, firstId + ids).forEach(id -> bias.put(id, random.nextInt(-100, 101) * 0.1f));
        }
        boolean penalties = random.nextInt(3) == 0;
        SamplingParameters parameters = new SamplingParameters(
                oneOf(random, 0, 0.001f, 0.7f, 1, 1, 1.5f, 50),
                (int) oneOf(random, 0, 0, 0, 1, 2, 40, 300, 5000),
                oneOf(random, 1, 1, 0.5f, 0.9f, 0.99999f),
                oneOf(random, 0, 0, 0.001f, 0.3f, 1),
                penalties ? oneOf(random, 1, 1.2f, 0.8f) : 1,
                penalties ? oneOf(random, 0, 0.7f, -0.5f) : 0,
                penalties ? oneOf(random, 0, 0.3f, -0.1f) : 0,
                bias,
                random.nextLong(),
                (int) oneOf(random, -1, -1, 0, 1, 5, 20));
        int[] tokens = random.ints(random.nextInt(1, 400), 0, firstId + ids).toArray();
        SamplerState state = new SamplerState(parameters, random.nextInt(tokens.length + 1));
        state.append(Ints.of(tokens));
        RowDraw draw = RowDraw.of(state, random.nextInt(3), firstId, ids);
        return random.nextInt(4) > 0 ? draw : new RowDraw(draw.draw(), firstId, guided(random, draw, firstId + ids));
    }

    private static LogitScaling guided(SplittableRandom random, RowDraw draw, int end) {
        LogitScaling free = draw.scaling();
        BitSet allowed = new BitSet();
        random.ints(random.nextInt(1, 40), draw.firstId(), end).forEach(allowed::set);
        return new LogitScaling(
                free.adjusted(),
                free.repetition(),
                free.frequency(),
                free.presence(),
                free.temperature(),
                new AllowedIds() {
                    @Override
                    public boolean allows(int id) {
                        return allowed.get(id);
                    }

                    @Override
                    public long word(int index) {
                        long[] word = allowed.get(Long.SIZE * index, Long.SIZE * (index + 1))
                                .toLongArray();
                        return word.length == 0 ? 0 : word[0];
                    }
                });
    }

    private static float oneOf(SplittableRandom random, float... values) {
        return values[random.nextInt(values.length)];
    }

    @Test
    void scoresTokensAsTheHostDoes() throws Exception {
        everySchedule(work -> {
            CandidateSearch search = work.closing(new CandidateSearch(work.stream));
            SplittableRandom random = new SplittableRandom(9);
            for (int ids : new int[] {1, 300, 2500}) {
                Floats logits = logits(random, ids);
                List<TokenScore> scores = new ArrayList<>();
                for (int row = 0; row < ROWS; row++) {
                    scores.add(new TokenScore(random.nextInt(-1, 512 + ids), random.nextInt(21)));
                }

                List<FoundCandidates> found = search.candidates(
                        upload(work, logits),
                        256,
                        scores.stream().map(TokenScore::query).toList());

                for (int row = 0; row < ROWS; row++) {
                    assertThat(scores.get(row).candidates(found.get(row), 256, ids))
                            .as("row %d of %d ids, %s", row, ids, scores.get(row))
                            .isEqualTo(scores.get(row).candidates(logits, row, 256));
                }
            }
        });
    }

    /** One id, so that its score is the noise: what is looked at is all of its bits. */
    @Test
    void addsTheNoiseOfTheHost() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            CandidateSearch search = work.closing(new CandidateSearch(work.stream));
            int rows = 600;
            Floats logits = new Floats(rows, 1, new float[rows]);
            List<RowDraw> draws = new ArrayList<>();
            for (int row = 0; row < rows; row++) {
                SamplingParameters parameters =
                        new SamplingParameters(1, 0, 1, 0, 1, 0, 0, Map.of(), 1L << row % 64, -1);
                SamplerState state = new SamplerState(parameters, 0);
                state.append(Ints.of(new int[row]));
                draws.add(RowDraw.of(state, row % 5, 0, 1));
            }

            List<FoundCandidates> found = search.candidates(
                    upload(work, logits), 0, draws.stream().map(RowDraw::query).toList());

            for (int row = 0; row < rows; row++) {
                RankRow expected = new RankRow(logits, row, draws.get(row));
                assertThat(found.get(row).candidates().scores())
                        .isEqualTo(expected.candidates(1).scores());
            }
        }
    }

    @Test
    void answersNothingAboutNoColumns() throws Exception {
        try (DeviceWork work = new DeviceWork()) {
            CandidateSearch search = work.closing(new CandidateSearch(work.stream));
            SamplingParameters parameters = new SamplingParameters(1, 0, 0.5f, 0, 1, 0, 0, Map.of(), 7, 3);
            RowDraw draw = RowDraw.of(new SamplerState(parameters, 0), 0, 512, 0);
            Floats none = new Floats(1, 0, new float[0]);
            Tensor logits = Tensor.floats(work.arena, 1, 0);

            List<FoundCandidates> found = search.candidates(logits, 512, List.of(draw.query()));

            assertThat(new SearchedRow(draw, found.getFirst(), () -> none).candidates(64))
                    .isEqualTo(new RankRow(none, 0, draw).candidates(64));
        }
    }
}
