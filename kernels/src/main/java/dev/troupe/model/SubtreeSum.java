package dev.troupe.model;

import dev.troupe.tensor.Rows;

/**
 * The sum of KV groups {@code [from, to)} of a row-parallel product: one node of the fixed tree of NUMERICS rule 3.
 *
 * @param from first group, inclusive
 * @param to last group, exclusive
 * @param values {@code [tokens, hidden]}
 */
public record SubtreeSum(int from, int to, Rows values) {
    public SubtreeSum {
        if (from < 0 || to <= from) {
            throw new IllegalArgumentException("groups [%d, %d) are no range".formatted(from, to));
        }
    }
}
