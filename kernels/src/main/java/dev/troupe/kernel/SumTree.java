package dev.troupe.kernel;

import java.util.ArrayList;
import java.util.List;

/**
 * The fixed order in which addends 0 to n − 1 are summed, whoever holds them (NUMERICS rule 3):
 * {@code sum(i, j) = i + 1 == j ? p[i] : sum(i, m) + sum(m, j)} with {@code m = i +} the largest power of two below
 * {@code j − i}.
 */
public final class SumTree {
    private SumTree() {}

    /** A node of the tree: addends {@code [from, to)}. */
    public record Node(int from, int to) {}

    /** Where {@code [from, to)}, at least two addends long, is split. */
    public static int split(int from, int to) {
        return from + Integer.highestOneBit(to - from - 1);
    }

    /** The maximal nodes of the tree over {@code addends} that lie inside {@code [from, to)}, ascending. */
    public static List<Node> maximalNodes(int addends, int from, int to) {
        if (addends < 1 || from < 0 || to < from || to > addends) {
            throw new IllegalArgumentException("[%d, %d) is no range of %d addends".formatted(from, to, addends));
        }
        List<Node> nodes = new ArrayList<>();
        collect(0, addends, from, to, nodes);
        return List.copyOf(nodes);
    }

    private static void collect(int i, int j, int from, int to, List<Node> nodes) {
        if (j <= from || i >= to) {
            return;
        }
        if (from <= i && j <= to) {
            nodes.add(new Node(i, j));
            return;
        }
        int m = split(i, j);
        collect(i, m, from, to, nodes);
        collect(m, j, from, to, nodes);
    }
}
