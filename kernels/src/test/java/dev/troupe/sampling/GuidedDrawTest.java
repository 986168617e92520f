package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenGuide;
import dev.troupe.sampling.guide.TokenMask;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class GuidedDrawTest {
    private static final int VOCABULARY = 700;

    /** Ids 0 to 255 are bytes, then come pairs of lower-case letters, and the last ends a text. */
    private static final TokenTable TABLE = new TokenTable(VOCABULARY, GuidedDrawTest::bytes, Ints.of(VOCABULARY - 1));

    private static byte[] bytes(int id) {
        if (id < 256) {
            return new byte[] {(byte) id};
        }
        return id == VOCABULARY - 1 ? new byte[0] : new byte[] {(byte) ('a' + id % 26), (byte) ('a' + id / 26 % 26)};
    }

    @Test
    void drawsOnlyWhatTheGuideAllowsTheSameHoweverTheRowsAreSplit() {
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "[a-m]{3}[0-9]{2}x?").compile(), TABLE);
        for (int seed = 0; seed < 300; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            SamplingParameters parameters = parameters(random);
            float[] logits = logits(random);
            List<Integer> tokens = new ArrayList<>(List.of(5, 6));
            while (tokens.getLast() != VOCABULARY - 1) {
                Ints before =
                        Ints.of(tokens.stream().mapToInt(Integer::intValue).toArray());
                TokenMask mask = guide.mask(guide.after(before.slice(2, before.size())));
                int one = draw(logits, new int[] {0, VOCABULARY}, before, parameters, guide);
                int split =
                        draw(logits, RanksOfAVocabulary.randomBounds(random, 3, VOCABULARY), before, parameters, guide);

                assertThat(mask.allows(one))
                        .as("token %d after %s, seed %d", one, before, seed)
                        .isTrue();
                assertThat(split).isEqualTo(one);
                tokens.add(one);
            }
            assertThat(tokens.size()).isBetween(6, 9);
        }
    }

    @Test
    void isTheDrawOfTheWholeVocabularyWhoseOtherTokensAreFarBelow() {
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.REGEX, "[a-z]*").compile(), TABLE);
        TokenMask mask = guide.mask(guide.start());
        for (int seed = 0; seed < 300; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            SamplingParameters parameters = parameters(random);
            float[] logits = logits(random);
            float[] masked = logits.clone();
            for (int id = 0; id < masked.length; id++) {
                masked[id] = mask.allows(id) ? masked[id] : -1e30f;
            }
            int expected = new WholeVocabularySampler(parameters, masked, new int[] {5, 6}, 2)
                    .draw(0, 2)
                    .token();

            assertThat(draw(logits, new int[] {0, 256, VOCABULARY}, Ints.of(5, 6), parameters, guide))
                    .as("seed %d, %s", seed, parameters)
                    .isEqualTo(expected);
        }
    }

    private static float[] logits(SplittableRandom random) {
        float[] logits = new float[VOCABULARY];
        for (int id = 0; id < VOCABULARY; id++) {
            logits[id] = (float) random.nextGaussian(0, 6);
        }
        return logits;
    }

    private static SamplingParameters parameters(SplittableRandom random) {
        return new SamplingParameters(
                random.nextInt(4) * 0.5f,
                random.nextInt(3) * 20,
                1 - random.nextInt(3) * 0.3f,
                random.nextInt(2) * 0.05f,
                1,
                0,
                random.nextInt(2) * 0.5f,
                Map.of(),
                random.nextLong(),
                -1);
    }

    private static int draw(
            float[] logits, int[] bounds, Ints tokens, SamplingParameters parameters, TokenGuide guide) {
        List<RankRow> rows = new ArrayList<>();
        for (int rank = 0; rank + 1 < bounds.length; rank++) {
            float[] own = Arrays.copyOfRange(logits, bounds[rank], bounds[rank + 1]);
            SamplerState state = new SamplerState(parameters, 2, guide);
            state.append(tokens);
            rows.add(new RankRow(new Floats(1, own.length, own), 0, bounds[rank], state, 0));
        }
        TokenDraw draw = rows.getFirst().draw();
        int limit = draw.firstLimit();
        while (true) {
            int most = limit;
            TokenDraw.Outcome outcome =
                    draw.choose(rows.stream().map(row -> row.candidates(most)).toList());
            switch (outcome) {
                case TokenDraw.Token token -> {
                    return token.token();
                }
                case TokenDraw.More more -> limit = more.limit();
                case TokenDraw.NotFinite _ -> throw new AssertionError("not finite");
            }
        }
    }
}
