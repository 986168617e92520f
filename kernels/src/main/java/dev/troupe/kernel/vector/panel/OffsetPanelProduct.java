package dev.troupe.kernel.vector.panel;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;
import static dev.troupe.kernel.vector.lanes.Lanes.L;
import static dev.troupe.kernel.vector.lanes.Lanes.LE;

import dev.troupe.kernel.vector.lanes.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link PiecePanelProduct} for types with an offset: after the multiply-add of a piece's weights a row's chain takes one of the
 * offset, {@code fma((float) M, b · s, acc)}. A step of its own between two pieces, because one method for both is too large for
 * the compilers.
 */
public final class OffsetPanelProduct {
    private static final VectorSpecies<Float> F = Lanes.F;

    /** Bytes of a piece's rounded activations in a tile. */
    private static final long PIECE_BYTES = 4L * 32 * PiecePanelProduct.TOKENS;

    /** Bytes of a piece's activation factors in a tile. */
    private static final long FACTOR_BYTES = 4L * 5 * PiecePanelProduct.TOKENS;

    private OffsetPanelProduct() {}

    /** As {@link PiecePanelProduct#tile}. */
    public static void tile(long panel, long panelFactors, int pieces, long activations, long factors, long acc) {
        for (int p = 0; p < pieces; p++) {
            long pieceFactors = panelFactors + (long) PiecePanels.FACTOR_BYTES * p;
            PiecePanelProduct.tile(
                    panel + (long) PiecePanels.PANEL_BYTES * p,
                    pieceFactors,
                    1,
                    activations + PIECE_BYTES * p,
                    factors + FACTOR_BYTES * p,
                    acc);
            offset(pieceFactors, factors + FACTOR_BYTES * p, acc);
        }
    }

    private static void offset(long panelFactors, long factors, long acc) {
        for (int row = 0; row < 32; row += L) {
            FloatVector b = FloatVector.fromMemorySegment(F, ALL, panelFactors + 128 + 4L * row, LE);
            FloatVector low = FloatVector.fromMemorySegment(F, ALL, panelFactors + 256 + 4L * row, LE);
            FloatVector high = FloatVector.fromMemorySegment(F, ALL, panelFactors + 384 + 4L * row, LE);
            for (int t = 0; t < PiecePanelProduct.TOKENS; t++) {
                FloatVector s = FloatVector.broadcast(F, ALL.get(FLOAT, factors + 4L * t));
                FloatVector sumLow = FloatVector.broadcast(F, ALL.get(FLOAT, factors + 24 + 4L * t));
                FloatVector sumHigh = FloatVector.broadcast(F, ALL.get(FLOAT, factors + 48 + 4L * t));
                FloatVector r = FloatVector.fromMemorySegment(F, ALL, acc + 128L * t + 4L * row, LE);
                high.fma(sumHigh, low.mul(sumLow))
                        .fma(b.mul(s), r)
                        .intoMemorySegment(ALL, acc + 128L * t + 4L * row, LE);
            }
        }
    }
}
