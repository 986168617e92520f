package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class RankingTest {

    @Test
    void ordersByValueThenByIdOverAllFloats() {
        float[] ascending = {
            Float.NEGATIVE_INFINITY, -Float.MAX_VALUE, -1f, -Float.MIN_VALUE, 0f, Float.MIN_VALUE, 1f, Float.MAX_VALUE
        };
        for (int i = 1; i < ascending.length; i++) {
            assertThat(Ranking.pair(ascending[i], 9)).isGreaterThan(Ranking.pair(ascending[i - 1], 1));
            assertThat(Ranking.pair(ascending[i], 1)).isGreaterThan(Ranking.pair(ascending[i], 2));
            assertThat(Ranking.value(Ranking.pair(ascending[i], 7))).isEqualTo(ascending[i]);
            assertThat(Ranking.id(Ranking.pair(ascending[i], 7))).isEqualTo(7);
        }
    }

    @Test
    void takesBothZerosForEqual() {
        assertThat(Ranking.pair(-0f, 1)).isEqualTo(Ranking.pair(0f, 1));
    }

    @Test
    void keepsTheFirstOfManyAsAFullSortDoes() {
        SplittableRandom random = new SplittableRandom(3);
        for (int run = 0; run < 500; run++) {
            int count = random.nextInt(300);
            int limit = 1 + random.nextInt(200);
            Ranking ranking = new Ranking(limit);
            List<Long> all = new ArrayList<>();
            for (int id = 0; id < count; id++) {
                float value = random.nextInt(20) * 0.5f - 5f;
                ranking.add(value, id);
                all.add(Ranking.pair(value, id));
            }

            long[] kept = ranking.sorted();

            all.sort(Comparator.reverseOrder());
            assertThat(kept)
                    .containsExactly(
                            all.stream().limit(limit).mapToLong(Long::longValue).toArray());
            assertThat(ranking.holdsAll()).isEqualTo(count <= limit);
        }
    }
}
