package dev.troupe.kernel;

import java.util.ArrayList;
import java.util.List;

/**
 * The columns of one chunk of a matrix, cut where a weight block or an activation block ends (NUMERICS rules 2 and 3).
 * Activation blocks of 32 start at the chunk's start and end at its end; weight blocks of 32 lie on the file's grid. Types
 * whose blocks have 256 columns are cut into 32 as well, because their eighths share nothing but float scales.
 */
public final class ColumnPieces {
    private static final int BLOCK = NumericsId.BLOCK;

    private static final int SUPER_BLOCK = 256;

    private final int columns;
    private final int gridOffset;
    private final int[] starts;
    private final int[] runs;

    private ColumnPieces(int columns, int gridOffset, int[] starts, int[] runs) {
        this.columns = columns;
        this.gridOffset = gridOffset;
        this.starts = starts;
        this.runs = runs;
    }

    /**
     * @param columns columns of the chunk; 0 for an empty chunk
     * @param gridOffset column of the whole matrix where the chunk starts
     */
    public static ColumnPieces of(int columns, int gridOffset) {
        if (columns < 0 || gridOffset < 0) {
            throw new IllegalArgumentException("columns=%d, gridOffset=%d".formatted(columns, gridOffset));
        }
        List<Integer> cuts = new ArrayList<>();
        List<Integer> runs = new ArrayList<>();
        for (int k = 0; k < columns; k++) {
            if (k == 0 || (gridOffset + k) % SUPER_BLOCK == 0) {
                runs.add(cuts.size());
            }
            if (k % BLOCK == 0 || (gridOffset + k) % BLOCK == 0) {
                cuts.add(k);
            }
        }
        runs.add(cuts.size());
        return new ColumnPieces(columns, gridOffset, ints(cuts), ints(runs));
    }

    private static int[] ints(List<Integer> list) {
        return list.stream().mapToInt(Integer::intValue).toArray();
    }

    public int columns() {
        return columns;
    }

    /** Column of the whole matrix where the chunk starts. */
    public int gridOffset() {
        return gridOffset;
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

    /** Column of a piece's first column inside its weight block, 0 to 31. */
    public int position(int piece) {
        return (gridOffset + starts[piece]) % BLOCK;
    }

    /** Number of runs: maximal series of pieces that lie in one super-block of 256 columns of the file's grid. */
    public int runs() {
        return runs.length - 1;
    }

    /** The run that a piece lies in. */
    public int run(int piece) {
        int first = (gridOffset + starts[0]) / SUPER_BLOCK;
        return (gridOffset + starts[piece]) / SUPER_BLOCK - first;
    }

    /** First piece of a run; {@code runStart(runs())} is {@link #count}. */
    public int runStart(int run) {
        return runs[run];
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
