package dev.troupe.sampling.guide;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The tokens of a vocabulary by their bytes, so that what many begin with is looked at once. Nodes lie depth first. */
final class TokenTrie {
    private final byte[] label;
    /** 1 for the first byte of tokens. */
    private final int[] depth;
    /** The first node behind those below this one. */
    private final int[] after;
    /** Tokens that end at node n are {@code ids[firstId[n]] .. ids[firstId[n + 1] − 1]}. */
    private final int[] firstId;

    private final int[] ids;
    private final int nodes;
    private final int deepest;

    TokenTrie(byte[][] tokens) {
        ids = IntStream.range(0, tokens.length)
                .filter(id -> tokens[id].length > 0)
                .boxed()
                .sorted((a, b) -> Arrays.compareUnsigned(tokens[a], tokens[b]))
                .mapToInt(Integer::intValue)
                .toArray();
        int most = 0;
        int longest = 0;
        for (int id : ids) {
            most = Math.addExact(most, tokens[id].length);
            longest = Math.max(longest, tokens[id].length);
        }
        deepest = longest;
        byte[] labels = new byte[most];
        int[] depths = new int[most];
        int[] ends = new int[most];
        int[] firsts = new int[most + 1];
        int[] path = new int[longest + 1];
        byte[] before = {};
        int size = 0;
        for (int i = 0; i < ids.length; i++) {
            byte[] token = tokens[ids[i]];
            int common = Arrays.mismatch(before, token);
            common = common < 0 ? token.length : common;
            close(path, common, before.length, size, ends);
            for (int at = common; at < token.length; at++) {
                labels[size] = token[at];
                depths[size] = at + 1;
                firsts[size] = i;
                path[at + 1] = size++;
            }
            firsts[size] = i + 1;
            before = token;
        }
        close(path, 0, before.length, size, ends);
        nodes = size;
        label = Arrays.copyOf(labels, size);
        depth = Arrays.copyOf(depths, size);
        after = Arrays.copyOf(ends, size);
        firstId = Arrays.copyOf(firsts, size + 1);
    }

    /** Ends the nodes of a path that are deeper than {@code from}. */
    private static void close(int[] path, int from, int to, int end, int[] ends) {
        for (int at = from + 1; at <= to; at++) {
            ends[path[at]] = end;
        }
    }

    /** Sets the bits of all tokens that lead from a state to one at which a token may end. */
    void allow(ByteMachine machine, GuideState from, long[] mask) {
        @Nullable GuideState[] path = new GuideState[deepest + 1];
        path[0] = from;
        int node = 0;
        while (node < nodes) {
            int level = depth[node];
            GuideState parent = path[level - 1];
            GuideState state = parent == null ? null : machine.step(parent, label[node] & 255);
            if (state == null) {
                node = after[node];
                continue;
            }
            path[level] = state;
            if (state.rests()) {
                for (int i = firstId[node]; i < firstId[node + 1]; i++) {
                    mask[ids[i] >>> 6] |= 1L << (ids[i] & 63);
                }
            }
            node++;
        }
    }
}
