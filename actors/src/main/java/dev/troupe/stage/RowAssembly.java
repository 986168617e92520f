package dev.troupe.stage;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** A tensor {@code [rows, columns]} that arrives in pieces of whole rows, in any order, some of them repeated. */
final class RowAssembly {
    private final int rows;
    private final int columns;
    private final BitSet present;
    private float @Nullable [] values;
    private @Nullable Rows whole;

    RowAssembly(int rows, int columns) {
        this.rows = rows;
        this.columns = columns;
        this.present = new BitSet(rows);
    }

    /**
     * Takes a piece over.
     *
     * @param firstRow row of the tensor at which the piece begins
     * @throws ContradictionException if the piece does not fit the tensor or overlaps others in part
     */
    Noted note(int firstRow, Rows piece) {
        int end = firstRow + piece.rows();
        if (piece.columns() != columns || piece.rows() == 0 || firstRow < 0 || end < 0 || end > rows) {
            throw new ContradictionException("rows [%d, %d) of %d columns do not fit a tensor [%d, %d]"
                    .formatted(firstRow, end, piece.columns(), rows, columns));
        }
        int there = present.get(firstRow, end).cardinality();
        if (there == piece.rows()) {
            return Noted.REPEATED;
        }
        if (there > 0) {
            throw new ContradictionException("rows [%d, %d) overlap rows that are there, %d of them; pieces must not"
                    .formatted(firstRow, end, there));
        }
        present.set(firstRow, end);
        keep(firstRow, piece);
        return Noted.KEPT;
    }

    private void keep(int firstRow, Rows piece) {
        if (piece.rows() == rows) {
            whole = piece;
            return;
        }
        if (values == null) {
            values = new float[Math.multiplyExact(rows, columns)];
        }
        piece.floats()
                .copyTo(MemorySegment.ofArray(values).asSlice(4L * firstRow * columns, 4L * piece.rows() * columns));
        if (complete()) {
            whole = new Floats(rows, columns, values);
        }
    }

    boolean complete() {
        return present.cardinality() == rows;
    }

    /** The tensor. */
    Rows whole() {
        if (whole == null) {
            throw new IllegalStateException("%d of %d rows are there".formatted(present.cardinality(), rows));
        }
        return whole;
    }
}
