package dev.troupe.kernel;

import java.util.Arrays;

/**
 * The tokens of one step as the kernels see them: token t has an id, a position in its sequence and the index of that
 * sequence's block table. Tokens of one sequence stand together, positions ascending. Immutable by contract.
 *
 * <p>Position p of sequence s lives in KV block {@code blockTable(s)[p / blockSize]} at offset {@code p % blockSize}.
 */
public final class TokenBatch {
    private final int[] ids;
    private final int[] positions;
    private final int[] sequences;
    private final int[][] blockTables;

    /**
     * @param ids token ids {@code [tokens]}
     * @param positions positions from 0 {@code [tokens]}
     * @param sequences index into {@code blockTables} {@code [tokens]}
     * @param blockTables KV block ids per sequence
     * @throws IllegalArgumentException if the lengths differ, an index is out of range or the tokens of a sequence do
     *     not stand together with ascending neighbouring positions
     */
    public TokenBatch(int[] ids, int[] positions, int[] sequences, int[][] blockTables) {
        if (positions.length != ids.length || sequences.length != ids.length) {
            throw new IllegalArgumentException("ids=%d, positions=%d, sequences=%d differ in length"
                    .formatted(ids.length, positions.length, sequences.length));
        }
        boolean[] seen = new boolean[blockTables.length];
        for (int t = 0; t < ids.length; t++) {
            int s = sequences[t];
            if (s < 0 || s >= blockTables.length || positions[t] < 0) {
                throw new IllegalArgumentException("token %d has sequence=%d of %d and position=%d"
                        .formatted(t, s, blockTables.length, positions[t]));
            }
            boolean continues = t > 0 && sequences[t - 1] == s;
            if (continues ? positions[t] != positions[t - 1] + 1 : seen[s]) {
                throw new IllegalArgumentException(
                        "tokens of sequence %d do not stand together in order at token %d".formatted(s, t));
            }
            seen[s] = true;
        }
        this.ids = ids.clone();
        this.positions = positions.clone();
        this.sequences = sequences.clone();
        this.blockTables = Arrays.stream(blockTables).map(int[]::clone).toArray(int[][]::new);
    }

    public int tokens() {
        return ids.length;
    }

    public int id(int token) {
        return ids[token];
    }

    public int position(int token) {
        return positions[token];
    }

    public int sequence(int token) {
        return sequences[token];
    }

    /** Number of block tables. */
    public int sequences() {
        return blockTables.length;
    }

    /** Blocks in the table of {@code sequence}. */
    public int blocks(int sequence) {
        return blockTables[sequence].length;
    }

    /** KV block that holds {@code position} of {@code sequence}, for blocks of {@code blockSize} tokens. */
    public int block(int sequence, int position, int blockSize) {
        return blockTables[sequence][position / blockSize];
    }
}
