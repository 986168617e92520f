package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.SumTree.Node;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SumTreeTest {
    private static final PackedMatrix LEAF = MatrixPacker.pack(Arena.ofAuto(), Tensor.floats(Arena.ofAuto(), 1, 1));

    @Test
    void splitsAtTheLargestPowerOfTwoBelow() {
        assertThat(SumTree.split(0, 2)).isEqualTo(1);
        assertThat(SumTree.split(0, 8)).isEqualTo(4);
        assertThat(SumTree.split(0, 7)).isEqualTo(4);
        assertThat(SumTree.split(4, 7)).isEqualTo(6);
        assertThat(SumTree.split(0, 9)).isEqualTo(8);
    }

    @Test
    void givesOneNodeWhereARangeIsOne() {
        assertThat(SumTree.maximalNodes(8, 0, 8)).containsExactly(new Node(0, 8));
        assertThat(SumTree.maximalNodes(8, 4, 8)).containsExactly(new Node(4, 8));
        assertThat(SumTree.maximalNodes(8, 2, 4)).containsExactly(new Node(2, 4));
        assertThat(SumTree.maximalNodes(7, 4, 7)).containsExactly(new Node(4, 7));
        assertThat(SumTree.maximalNodes(8, 1, 6)).containsExactly(new Node(1, 2), new Node(2, 4), new Node(4, 6));
        assertThat(SumTree.maximalNodes(8, 3, 3)).isEmpty();
    }

    /** A stack machine over leaves and merges builds exactly the recursive sum, for any rank's range. */
    @Test
    void isWhatAStackOfMergesBuilds() {
        for (int groups = 1; groups <= 12; groups++) {
            for (int sub = 1; sub <= 5; sub++) {
                for (int from = 0; from < groups; from++) {
                    for (int to = from + 1; to <= groups; to++) {
                        assertMerges(groups, sub, from, to);
                    }
                }
            }
        }
    }

    private static void assertMerges(int groups, int sub, int from, int to) {
        List<PackedMatrix> leaves = new ArrayList<>();
        for (int i = 0; i < (to - from) * sub; i++) {
            leaves.add(LEAF);
        }
        ChunkedMatrix matrix = new ChunkedMatrix(groups, sub, from, leaves);
        List<String> stack = new ArrayList<>();
        for (int c = 0; c < leaves.size(); c++) {
            stack.add(from + c / sub + "." + c % sub);
            for (int merge = 0; merge < matrix.mergesAfter(c); merge++) {
                String right = stack.removeLast();
                stack.add("(" + stack.removeLast() + "+" + right + ")");
            }
            int node = matrix.nodeEndingAt(c);
            if (node >= 0) {
                Node range = matrix.nodes().get(node);
                assertThat(stack).containsExactly(sum(range.from(), range.to(), sub));
                stack.clear();
            }
        }
        assertThat(stack).isEmpty();
    }

    private static String sum(int from, int to, int sub) {
        if (to - from == 1) {
            return chunks(from, 0, sub);
        }
        int middle = SumTree.split(from, to);
        return "(" + sum(from, middle, sub) + "+" + sum(middle, to, sub) + ")";
    }

    private static String chunks(int group, int from, int to) {
        if (to - from == 1) {
            return group + "." + from;
        }
        int middle = SumTree.split(from, to);
        return "(" + chunks(group, from, middle) + "+" + chunks(group, middle, to) + ")";
    }

    @Test
    void refusesARangeOutsideTheAddends() {
        assertThatThrownBy(() -> SumTree.maximalNodes(4, 3, 5)).hasMessage("[3, 5) is no range of 4 addends");
    }
}
