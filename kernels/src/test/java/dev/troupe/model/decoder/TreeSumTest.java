package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.model.SubtreeSum;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TreeSumTest {
    private static final int TOKENS = 2;
    private static final int HIDDEN = 3;

    private final ReferenceKernels kernels = new ReferenceKernels();

    @Test
    void givesTheBitsOfTheTreeForEveryRangeOfEveryNumberOfGroups() {
        for (int groups = 1; groups <= 11; groups++) {
            Floats[] addends = addends(groups);
            Floats expected = tree(addends, 0, groups);
            for (int from = 0; from < groups; from++) {
                for (int to = from + 1; to <= groups; to++) {
                    assertThat(sum(addends, from, to))
                            .as("[%d, %d) of %d", from, to, groups)
                            .isEqualTo(expected);
                }
            }
        }
    }

    /** The sum at a rank with groups [from, to), whose peers have one group each and come in any order. */
    private Floats sum(Floats[] addends, int from, int to) {
        int groups = addends.length;
        List<SumTree.Node> own = SumTree.maximalNodes(groups, from, to);
        List<SubtreeSum> peers = new ArrayList<>();
        for (int g = 0; g < groups; g++) {
            if (g < from || g >= to) {
                peers.add(new SubtreeSum(g, g + 1, addends[g]));
            }
        }
        Collections.shuffle(peers, new Random(31L * groups + from));
        TreeSum treeSum = new TreeSum(kernels, groups, own);
        treeSum.requireComplete(peers, TOKENS, HIDDEN);
        Tensor[] sums = own.stream()
                .map(node -> tensor(tree(addends, node.from(), node.to())))
                .toArray(Tensor[]::new);
        Tensor[] scratch = new Tensor[TreeSum.scratchTensors(groups)];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = Tensor.floats(Arena.ofAuto(), TOKENS + 1, HIDDEN);
        }
        return treeSum.sum(sums, peers, TOKENS, scratch).copyRows(0, TOKENS);
    }

    @Test
    void differsFromASumFromLeftToRight() {
        Floats[] addends = addends(7);
        Floats sum = addends[0];
        for (int g = 1; g < 7; g++) {
            sum = plus(sum, addends[g]);
        }

        assertThat(tree(addends, 0, 7)).isNotEqualTo(sum);
    }

    @Test
    void refusesSumsThatDoNotCoverEveryGroupOnce() {
        Floats values = addends(1)[0];
        TreeSum treeSum = new TreeSum(kernels, 4, SumTree.maximalNodes(4, 0, 1));
        SubtreeSum one = new SubtreeSum(1, 2, values);
        SubtreeSum two = new SubtreeSum(2, 4, values);
        SubtreeSum three = new SubtreeSum(3, 4, values);

        treeSum.requireComplete(List.of(two, one), TOKENS, HIDDEN);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> treeSum.requireComplete(List.of(one, three), TOKENS, HIDDEN))
                .withMessageContaining("no sum covers group 2 of 4");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> treeSum.requireComplete(List.of(one, two, three), TOKENS, HIDDEN))
                .withMessageContaining("repeated or overlapping");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> treeSum.requireComplete(List.of(one, one, two), TOKENS, HIDDEN))
                .withMessageContaining("repeated or overlapping");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> treeSum.requireComplete(List.of(one, two), TOKENS + 1, HIDDEN))
                .withMessageContaining("the sum of groups [1, 2) is f32[2, 3], expected [3, 3]");
    }

    private static Floats tree(Floats[] addends, int from, int to) {
        if (to - from == 1) {
            return addends[from];
        }
        int middle = from + Integer.highestOneBit(to - from - 1);
        return plus(tree(addends, from, middle), tree(addends, middle, to));
    }

    private static Floats plus(Floats a, Floats b) {
        float[] sum = a.toArray();
        float[] other = b.toArray();
        for (int i = 0; i < sum.length; i++) {
            sum[i] += other[i];
        }
        return new Floats(a.rows(), a.columns(), sum);
    }

    private static Floats[] addends(int groups) {
        Random random = new Random(groups);
        Floats[] addends = new Floats[groups];
        for (int g = 0; g < groups; g++) {
            float[] values = new float[TOKENS * HIDDEN];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            addends[g] = new Floats(TOKENS, HIDDEN, values);
        }
        return addends;
    }

    private static Tensor tensor(Floats values) {
        Tensor tensor = Tensor.floats(Arena.ofAuto(), TOKENS + 1, HIDDEN);
        tensor.setRows(0, values);
        return tensor;
    }
}
