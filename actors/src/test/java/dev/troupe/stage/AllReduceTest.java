package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.SumTree;
import dev.troupe.model.SubtreeSum;
import dev.troupe.tensor.Floats;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class AllReduceTest {
    private static final int ROWS = 4;
    private static final int COLUMNS = 2;

    /** Eight groups cut in 3, 4 and 1: ranks send 2, 3 and 1 nodes. */
    private final StageShape uneven = new StageShape(
            1,
            6,
            COLUMNS,
            List.of(SumTree.maximalNodes(8, 0, 3), SumTree.maximalNodes(8, 3, 7), SumTree.maximalNodes(8, 7, 8)));

    private static Floats values(int seed) {
        float[] values = new float[ROWS * COLUMNS];
        Random random = new Random(seed);
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat();
        }
        return new Floats(ROWS, COLUMNS, values);
    }

    private static Partial partial(int rank, int fromGroup, int toGroup, int firstRow, Floats values) {
        return new Partial(TestPlans.EPOCH, 9, 2, rank, fromGroup, toGroup, firstRow, values);
    }

    @Test
    void isCompleteAtOnceWithoutPeers() {
        StageShape alone = new StageShape(0, 6, COLUMNS, List.of(SumTree.maximalNodes(8, 0, 8)));

        AllReduce exchange = new AllReduce(alone, ROWS);

        assertThat(exchange.complete()).isTrue();
        assertThat(exchange.sums()).isEmpty();
    }

    @Test
    void givesEveryNodeOfEveryPeerWhateverTheOrderOfThePieces() {
        List<SubtreeSum> expected = List.of(
                new SubtreeSum(0, 2, values(1)), new SubtreeSum(2, 3, values(2)), new SubtreeSum(7, 8, values(3)));
        for (int seed = 0; seed < 100; seed++) {
            Random random = new Random(seed);
            List<Partial> pieces = new ArrayList<>();
            for (SubtreeSum sum : expected) {
                int cut = random.nextInt(ROWS);
                int rank = sum.from() == 7 ? 2 : 0;
                if (cut > 0) {
                    pieces.add(partial(
                            rank, sum.from(), sum.to(), 0, sum.values().floats().slice(0, cut)));
                }
                pieces.add(partial(
                        rank, sum.from(), sum.to(), cut, sum.values().floats().slice(cut, ROWS)));
            }
            pieces.add(pieces.get(random.nextInt(pieces.size())));
            Collections.shuffle(pieces, random);
            AllReduce exchange = new AllReduce(uneven, ROWS);

            long repeated = pieces.stream()
                    .filter(piece -> exchange.note(piece) == Noted.REPEATED)
                    .count();

            assertThat(repeated).as("seed=%d", seed).isEqualTo(1);
            assertThat(exchange.complete()).as("seed=%d", seed).isTrue();
            assertThat(exchange.sums()).as("seed=%d", seed).isEqualTo(expected);
        }
    }

    @Test
    void isNotCompleteWhileARowOfOneNodeIsMissing() {
        AllReduce exchange = new AllReduce(uneven, ROWS);
        exchange.note(partial(0, 0, 2, 0, values(1)));
        exchange.note(partial(2, 7, 8, 0, values(3)));
        exchange.note(partial(0, 2, 3, 1, values(2).slice(1, ROWS)));

        assertThat(exchange.complete()).isFalse();
    }

    @Test
    void refusesWhatNoPeerCanHaveSent() {
        AllReduce exchange = new AllReduce(uneven, ROWS);

        assertThatThrownBy(() -> exchange.note(partial(1, 3, 4, 0, values(1))))
                .isInstanceOf(ContradictionException.class)
                .hasMessage(
                        "epoch=e3.7, step=9, exchange=2, from rank=1, groups [3, 4): the sender is no peer of rank 1 among 3 ranks");
        assertThatThrownBy(() -> exchange.note(partial(3, 0, 2, 0, values(1))))
                .isInstanceOf(ContradictionException.class);
        assertThatThrownBy(() -> exchange.note(partial(0, 0, 3, 0, values(1))))
                .isInstanceOf(ContradictionException.class)
                .hasMessageEndingWith("that rank sends the groups of [Node[from=0, to=2], Node[from=2, to=3]]");
        assertThatThrownBy(() -> exchange.note(partial(0, 0, 2, 1, values(1))))
                .isInstanceOf(ContradictionException.class)
                .hasMessageEndingWith("rows [1, 5) of 2 columns do not fit a tensor [4, 2]");
        assertThat(exchange.complete()).isFalse();
    }
}
