package dev.troupe.kernel;

/**
 * The canonical chunks in which the inner dimension of a row-parallel matrix is summed, whoever holds them (NUMERICS
 * rule 3): G KV groups of U chunks each, ascending. Bounds are columns of the whole matrix.
 */
public final class ReductionChunks {
    private static final int BLOCK = NumericsId.BLOCK;
    private static final int LEAST_CHUNKS = NumericsId.LEAST_CHUNKS;

    private final int groups;
    private final int subChunks;
    private final int[] bounds;

    private ReductionChunks(int groups, int subChunks, int[] bounds) {
        this.groups = groups;
        this.subChunks = subChunks;
        this.bounds = bounds;
    }

    /**
     * The chunks of the attention's output matrix: whole query heads.
     *
     * @param heads query heads of the whole model
     * @param kvHeads KV heads of the whole model, G
     * @param headDim columns of a head
     * @throws IllegalArgumentException if a number is not positive or the heads do not fill whole groups
     */
    public static ReductionChunks attention(int heads, int kvHeads, int headDim) {
        int subChunks = subChunks(heads, kvHeads);
        int chunks = kvHeads * subChunks;
        if (headDim < 1) {
            throw new IllegalArgumentException("headDim=%d, expected at least 1".formatted(headDim));
        }
        int width = Math.multiplyExact(heads / chunks, headDim);
        int[] bounds = new int[chunks + 1];
        for (int i = 0; i <= chunks; i++) {
            bounds[i] = Math.multiplyExact(i, width);
        }
        return new ReductionChunks(kvHeads, subChunks, bounds);
    }

    /**
     * The chunks of the feed-forward's down matrix: as many as the attention has, over blocks of 32 columns; with fewer
     * blocks than chunks some are empty.
     *
     * @param heads query heads of the whole model
     * @param kvHeads KV heads of the whole model, G
     * @param intermediate inner columns of the whole matrix
     * @throws IllegalArgumentException as for {@link #attention}
     */
    public static ReductionChunks feedForward(int heads, int kvHeads, int intermediate) {
        int subChunks = subChunks(heads, kvHeads);
        int chunks = kvHeads * subChunks;
        if (intermediate < 1) {
            throw new IllegalArgumentException("intermediate=%d, expected at least 1".formatted(intermediate));
        }
        long blocks = Math.ceilDiv(intermediate, BLOCK);
        int[] bounds = new int[chunks + 1];
        for (int i = 0; i <= chunks; i++) {
            bounds[i] = (int) Math.min(intermediate, BLOCK * (i * blocks / chunks));
        }
        return new ReductionChunks(kvHeads, subChunks, bounds);
    }

    /** U: the smallest divisor of a group's heads with G · U ≥ 8, or all of them. */
    private static int subChunks(int heads, int kvHeads) {
        if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0) {
            throw new IllegalArgumentException(
                    "heads=%d do not fill whole groups of kvHeads=%d".formatted(heads, kvHeads));
        }
        int perGroup = heads / kvHeads;
        for (int u = 1; u < perGroup; u++) {
            if (perGroup % u == 0 && kvHeads * u >= LEAST_CHUNKS) {
                return u;
            }
        }
        return perGroup;
    }

    /** KV groups, G. */
    public int groups() {
        return groups;
    }

    /** Chunks of a group, U. */
    public int subChunks() {
        return subChunks;
    }

    /** All chunks, G · U. */
    public int count() {
        return bounds.length - 1;
    }

    /** First column of a chunk. */
    public int start(int chunk) {
        return bounds[chunk];
    }

    /** One after the last column of a chunk. */
    public int end(int chunk) {
        return bounds[chunk + 1];
    }

    /** First column of a group; {@code groupStart(groups())} is the end of the matrix. */
    public int groupStart(int group) {
        return bounds[group * subChunks];
    }

    /** Columns of groups {@code [fromGroup, toGroup)}: the width of the activations that a rank brings. */
    public int columns(int fromGroup, int toGroup) {
        return groupStart(toGroup) - groupStart(fromGroup);
    }
}
