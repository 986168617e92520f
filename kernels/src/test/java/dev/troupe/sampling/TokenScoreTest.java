package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TokenScoreTest {
    private static final int CASES = 500;

    private static float[] logits(SplittableRandom random, int vocabulary) {
        float[] logits = new float[vocabulary];
        for (int id = 0; id < vocabulary; id++) {
            logits[id] = (float) random.nextGaussian(0, 4);
        }
        return logits;
    }

    private static TokenDraw.Outcome score(TokenScore score, float[] logits, int... bounds) {
        List<RankCandidates> ranks = new ArrayList<>();
        for (int rank = 0; rank + 1 < bounds.length; rank++) {
            float[] own = Arrays.copyOfRange(logits, bounds[rank], bounds[rank + 1]);
            ranks.add(score.candidates(new Floats(1, own.length, own), 0, bounds[rank]));
        }
        return score.merge(ranks);
    }

    @Test
    void ofATokenThatWasDrawnIsWhatTheDrawHasSaidHoweverTheRowsAreSplit() {
        for (int seed = 0; seed < CASES; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] logits = logits(random, 1 + random.nextInt(1500));
            int top = random.nextInt(6);
            SamplingParameters warm = new SamplingParameters(1.3f, 0, 1, 0, 1, 0, 0, Map.of(), seed, top);
            int[] whole = {0, logits.length};
            TokenDraw.Token drawn =
                    (TokenDraw.Token) new RanksOfAVocabulary(logits, whole, new int[] {0}, 1, warm, 0).draw();

            for (int ranks = 1; ranks <= 4; ranks++) {
                int[] bounds = RanksOfAVocabulary.randomBounds(random, ranks, logits.length);

                assertThat(score(new TokenScore(drawn.token(), top), logits, bounds))
                        .as("seed %d, cut at %s", seed, Arrays.toString(bounds))
                        .isEqualTo(drawn);
            }
        }
    }

    @Test
    void withoutATokenTellsTheMostProbableOnesAlone() {
        TokenDraw.Token none = (TokenDraw.Token) score(new TokenScore(-1, 2), new float[] {0, 3, 1, 2}, 0, 4);

        assertThat(none.token()).isNegative();
        assertThat(none.logprob()).isNaN();
        assertThat(none.top()).extracting(Logprob::token).containsExactly(1, 3);
    }

    @Test
    void isNoneWhereALogitIsNotFinite() {
        assertThat(score(new TokenScore(0, 1), new float[] {0, Float.NaN, 1}, 0, 3))
                .isEqualTo(new TokenDraw.NotFinite());
    }

    @Test
    void ofATokenThatNobodyHasIsRefused() {
        assertThatThrownBy(() -> score(new TokenScore(4, 1), new float[4], 0, 4))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("none of 1 ranks has token 4");
        assertThatThrownBy(() -> new TokenScore(4, 21)).hasMessage("top_logprobs=21, expected 0 to 20");
    }
}
