package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.ExactMath;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TokenDrawTest {
    private static final int CASES = 4000;

    @Test
    void isTheWholeVocabularysDrawHoweverTheRowsAreSplit() {
        int asked = 0;
        for (int seed = 0; seed < CASES; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] logits = logits(random, 1 + random.nextInt(1500));
            SamplingParameters parameters = parameters(random, logits.length);
            int[] tokens = random.ints(random.nextInt(1, 40), 0, logits.length).toArray();
            int prompt = random.nextInt(tokens.length + 1);
            int choice = random.nextInt(3);
            TokenDraw.Token expected =
                    new WholeVocabularySampler(parameters, logits, tokens, prompt).draw(choice, tokens.length);

            for (int ranks = 1; ranks <= 4; ranks++) {
                int[] bounds = RanksOfAVocabulary.randomBounds(random, ranks, logits.length);
                RanksOfAVocabulary split = new RanksOfAVocabulary(logits, bounds, tokens, prompt, parameters, choice);
                TokenDraw.Outcome drawn = random.nextBoolean() ? split.draw() : split.draw(1 + random.nextInt(8));

                assertThat(drawn)
                        .as(
                                "seed %d, %s, vocabulary %d cut at %s",
                                seed, parameters, logits.length, Arrays.toString(bounds))
                        .isEqualTo(expected);
                asked += split.asked();
            }
        }
        assertThat(asked).as("draws that needed more candidates").isGreaterThan(CASES / 10);
    }

    /** Few different values, so that ties are common; sometimes so large that noise drowns in rounding. */
    private static float[] logits(SplittableRandom random, int vocabulary) {
        float[] logits = new float[vocabulary];
        int kind = random.nextInt(5);
        for (int id = 0; id < vocabulary; id++) {
            logits[id] = switch (kind) {
                case 0 -> (float) random.nextGaussian(0, 2);
                case 1 -> (float) random.nextGaussian(0, 12);
                case 2 -> random.nextInt(-4, 5) * 0.5f;
                case 3 -> random.nextBoolean() ? 0f : -0f;
                default -> 3e7f + random.nextInt(0, 12) * 4f;
            };
        }
        return logits;
    }

    private static SamplingParameters parameters(SplittableRandom random, int vocabulary) {
        Map<Integer, Float> bias = new HashMap<>();
        if (random.nextInt(4) == 0) {
            random.ints(3, 0, vocabulary).forEach(id -> bias.put(id, random.nextInt(-100, 101) * 0.1f));
        }
        boolean penalties = random.nextInt(3) == 0;
        return new SamplingParameters(
                oneOf(random, 0, 0.3f, 0.7f, 1, 1, 1.5f, 5),
                (int) oneOf(random, 0, 0, 1, 2, 40, 300, 5000),
                oneOf(random, 1, 1, 0.1f, 0.5f, 0.9f, 0.99f, 0.99999f),
                oneOf(random, 0, 0, 0.001f, 0.02f, 0.3f, 1),
                penalties ? oneOf(random, 1, 1.2f, 0.8f) : 1,
                penalties ? oneOf(random, 0, 0.7f, -0.5f) : 0,
                penalties ? oneOf(random, 0, 0.3f, -0.1f) : 0,
                bias,
                random.nextLong(),
                (int) oneOf(random, -1, -1, 0, 1, 5, 20));
    }

    private static float oneOf(SplittableRandom random, float... values) {
        return values[random.nextInt(values.length)];
    }

    @Test
    void drawsFromTheSoftmax() {
        float[] logits = {0f, 1f, -1f, 2f, 0.5f, -2f, 1.5f, 0f, -0.5f, 0.25f};

        double chiSquare = chiSquare(logits, parameters(1.25f, 0, 1, 0), logits.length);

        assertThat(chiSquare).as("9 degrees of freedom, 1 in 1000 above").isLessThan(27.9);
        assertThat(chiSquare(logits, parameters(1f, 0, 1, 0), logits.length, 1.25))
                .as("the same measure tells temperature 1 from 1.25")
                .isGreaterThan(100);
    }

    @Test
    void drawsFromTheKeptTokensInProportion() {
        float[] logits = {0f, 1f, -1f, 2f, 0.5f, -2f, 1.5f, 0f, -0.5f, 0.25f};

        double chiSquare = chiSquare(logits, parameters(1f, 4, 1, 0), 4);

        assertThat(chiSquare).as("3 degrees of freedom, 1 in 1000 above").isLessThan(16.3);
    }

    private static double chiSquare(float[] logits, SamplingParameters parameters, int kept) {
        return chiSquare(logits, parameters, kept, parameters.temperature());
    }

    /** Of draws at 40,000 positions against the softmax over the {@code kept} largest logits. */
    private static double chiSquare(float[] logits, SamplingParameters parameters, int kept, double temperature) {
        int draws = 40_000;
        int[] counts = new int[logits.length];
        SamplerState state = new SamplerState(parameters, 0);
        for (int i = 0; i < draws; i++) {
            RankRow row = new RankRow(new Floats(1, logits.length, logits), 0, 0, state, 0);
            if (row.draw().choose(List.of(row.candidates(64))) instanceof TokenDraw.Token token) {
                counts[token.token()]++;
            }
            state.append(0);
        }
        float least = IntStream.range(0, logits.length)
                .mapToObj(i -> logits[i])
                .sorted(Comparator.reverseOrder())
                .toList()
                .get(kept - 1);
        double sum = 0;
        for (float logit : logits) {
            sum += logit >= least ? Math.exp(logit / temperature) : 0;
        }
        double chiSquare = 0;
        for (int id = 0; id < logits.length; id++) {
            if (logits[id] < least) {
                assertThat(counts[id])
                        .as("draws of token %d, which is not kept", id)
                        .isZero();
                continue;
            }
            double expected = draws * Math.exp(logits[id] / temperature) / sum;
            chiSquare += (counts[id] - expected) * (counts[id] - expected) / expected;
        }
        return chiSquare;
    }

    private static SamplingParameters parameters(float temperature, int topK, float topP, float minP) {
        return new SamplingParameters(temperature, topK, topP, minP, 1, 0, 0, Map.of(), 12345, -1);
    }

    @Test
    void givesTiesToTheLowestIdAcrossRanks() {
        float[] logits = new float[600];
        logits[100] = 7f;
        logits[300] = 7f;
        logits[520] = 7f;

        TokenDraw.Outcome drawn =
                ranks(logits, SamplingParameters.greedy(), 0, 256, 512, 600).draw();

        assertThat(drawn).isEqualTo(new TokenDraw.Token(100, 7f, Float.NaN, List.of()));
    }

    @Test
    void givesATieThatRoundingMadeToTheLowestId() {
        SamplingParameters parameters = new SamplingParameters(1, 0, 1, 0, 1, 0, 0, Map.of(), 7, -1);
        float[] logits = new float[256];
        logits[82] = 0x1p28f;
        logits[200] = 0x1p28f + 32f;
        Noise noise = new Noise(7, 0, 6390);
        assertThat(logits[82] + noise.of(82)).as("a rare noise above 16").isEqualTo(logits[200] + noise.of(200));

        int[] tokens = new int[6390];
        TokenDraw.Outcome drawn = new RanksOfAVocabulary(logits, new int[] {0, 256}, tokens, 0, parameters, 0).draw();

        assertThat(drawn).isEqualTo(new TokenDraw.Token(82, 0x1p28f, Float.NaN, List.of()));
    }

    @Test
    void asksOnlyTheRankThatRanOut() {
        float[] logits = new float[512];
        Arrays.fill(logits, 256, 512, -20f);
        RankRow first = row(logits, 0, 256, parameters(1, 0, 0.9f, 0));
        RankRow second = row(logits, 256, 512, parameters(1, 0, 0.9f, 0));

        TokenDraw.Outcome outcome = first.draw().choose(List.of(first.candidates(10), second.candidates(10)));

        assertThat(outcome).isEqualTo(new TokenDraw.More(80, Ints.of(0)));
    }

    @Test
    void neverAsksForMoreThanTopKCanTake() {
        float[] logits = new float[1024];
        RanksOfAVocabulary ranks = ranks(logits, parameters(1, 40, 0.9f, 0), 0, 512, 1024);

        ranks.draw();

        assertThat(ranks.asked()).isZero();
    }

    @Test
    void neverDrawsWhereAnyRankHasAValueThatIsNotFinite() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] logits = new float[600];
            logits[5] = 1f;
            logits[599] = bad;

            assertThat(ranks(logits, SamplingParameters.greedy(), 0, 256, 600).draw())
                    .isEqualTo(new TokenDraw.NotFinite());
            assertThat(ranks(logits, parameters(0.7f, 0, 0.9f, 0), 0, 256, 600).draw())
                    .isEqualTo(new TokenDraw.NotFinite());
        }
    }

    @Test
    void failsWhereTheTemperatureMakesALogitInfinite() {
        float[] logits = {1e38f, 1f};

        assertThat(ranks(logits, parameters(0.01f, 0, 1, 0), 0, 2).draw()).isEqualTo(new TokenDraw.NotFinite());
        assertThat(ranks(logits, SamplingParameters.greedy(), 0, 2).draw()).isInstanceOf(TokenDraw.Token.class);
    }

    @Test
    void reportsLogProbabilitiesOfTheModelNotOfTheAdjustedLogits() {
        float[] logits = {0f, 0f, 0f, 0f};
        SamplingParameters parameters = new SamplingParameters(0.5f, 1, 1, 0, 1, 0, 0, Map.of(2, 50f), 0, 2);

        TokenDraw.Token token =
                (TokenDraw.Token) ranks(logits, parameters, 0, 4).draw();

        assertThat(token.token()).isEqualTo(2);
        assertThat(token.logprob()).isEqualTo(-ExactMath.log(4f));
        assertThat(token.top()).extracting(Logprob::token).containsExactly(0, 1);
    }

    @Test
    void refusesARankThatSentNoSpanSums() {
        float[] logits = new float[256];
        RankCandidates greedy = row(logits, 0, 256, SamplingParameters.greedy()).candidates(1);

        assertThatThrownBy(() -> new TokenDraw(parameters(1, 0, 0.9f, 0), 0, 0).choose(List.of(greedy)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("a rank sent no span sums for top_p");
    }

    private static RanksOfAVocabulary ranks(float[] logits, SamplingParameters parameters, int... bounds) {
        return new RanksOfAVocabulary(logits, bounds, new int[] {0}, 1, parameters, 0);
    }

    private static RankRow row(float[] logits, int from, int to, SamplingParameters parameters) {
        float[] own = Arrays.copyOfRange(logits, from, to);
        return new RankRow(new Floats(1, own.length, own), 0, from, new SamplerState(parameters, 0), 0);
    }
}
