package dev.troupe.kernel;

import java.util.ArrayList;
import java.util.List;

/**
 * The columns of one chunk of a matrix, cut where a weight block or an activation block ends (NUMERICS rules 2 and 3).
 * Activation blocks of 32 start at the chunk's start and end at its end; weight blocks of 32 lie on the file's grid.
 */
public final class ColumnPieces {
    private static final int BLOCK = NumericsId.BLOCK;

    private final int columns;
    private final int[] starts;

    private ColumnPieces(int columns, int[] starts) {
        this.columns = columns;
        this.starts = starts;
    }

    /**
     * @param columns columns of the chunk; 0 for an empty chunk
     * @param gridOffset column of the whole matrix where the chunk starts, modulo 32
     */
    public static ColumnPieces of(int columns, int gridOffset) {
        if (columns < 0 || gridOffset < 0) {
            throw new IllegalArgumentException("columns=%d, gridOffset=%d".formatted(columns, gridOffset));
        }
        List<Integer> cuts = new ArrayList<>();
        for (int k = 0; k < columns; k++) {
            if (k % BLOCK == 0 || (gridOffset + k) % BLOCK == 0) {
                cuts.add(k);
            }
        }
        return new ColumnPieces(
                columns, cuts.stream().mapToInt(Integer::intValue).toArray());
    }

    public int columns() {
        return columns;
    }

    /** Number of pieces. */
    public int count() {
        return starts.length;
    }

    /** First column of a piece, counted from the chunk's start. */
    public int start(int piece) {
        return starts[piece];
    }

    /** Columns of a piece, 1 to 32. */
    public int length(int piece) {
        return (piece + 1 < starts.length ? starts[piece + 1] : columns) - starts[piece];
    }

    /** Index of the activation block (32 columns from the chunk's start) that a piece lies in. */
    public int activationBlock(int piece) {
        return starts[piece] / BLOCK;
    }

    /** Number of activation blocks. */
    public int activationBlocks() {
        return Math.ceilDiv(columns, BLOCK);
    }
}
