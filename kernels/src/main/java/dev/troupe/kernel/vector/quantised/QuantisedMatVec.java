package dev.troupe.kernel.vector.quantised;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.L;

import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.kernel.vector.panel.PiecePanels;
import dev.troupe.tensor.DType;

/**
 * One token times some groups of rows of a block-quantised matrix: kernels of their own for most types; for q2_k, q3_k and
 * mxfp4 a few pieces at a time are unpacked into the first cache and multiplied there.
 */
public final class QuantisedMatVec {
    /** Bytes of scratch memory that {@link #rows} needs. */
    public static final int SCRATCH_BYTES;

    private static final int PIECES = 4;
    private static final int ROWS = PackedMatrix.GROUP_ROWS;

    static {
        SCRATCH_BYTES = PIECES * (PiecePanels.PANEL_BYTES + PiecePanels.FACTOR_BYTES);
    }

    private QuantisedMatVec() {}

    /**
     * The products of groups {@code group} to {@code group + Lanes.GROUPS − 1} with one token; what is given for groups past
     * the last is undefined.
     *
     * @param x rounded activations {@code [pieces][32]}, integers as f32
     * @param factors of the activations, f32 {@code [pieces][5]}
     * @param scratch address of {@link #SCRATCH_BYTES} bytes
     * @param y f32 {@code [32 · Lanes.GROUPS]}
     */
    public static void rows(PackedMatrix w, int group, long x, long factors, long scratch, long y) {
        if (w.type() == DType.Q8_0 || w.type() == DType.IQ4_NL) {
            bytes(w, group, x, factors, y);
            return;
        }
        int pieces = w.pieces().count();
        int end = Math.min(w.groups(), group + Lanes.GROUPS);
        for (int g = group; g < end; g++) {
            long address = w.address() + g * w.groupBytes();
            long to = y + 4L * ROWS * (g - group);
            ALL.asSlice(to, 4L * ROWS).fill((byte) 0);
            switch (w.type()) {
                case Q4_0 -> Q4MatVec.tile(address, pieces, x, factors, to);
                case Q4_1 -> Q4OffsetMatVec.tile(address, pieces, x, factors, to);
                case Q5_0 -> Q5MatVec.tile(address, pieces, x, factors, to, scratch);
                case Q5_1 -> Q5OffsetMatVec.tile(address, pieces, x, factors, to, scratch);
                case Q4_K -> Q4KMatVec.tile(address, w.pieces(), x, factors, to, scratch);
                case Q5_K -> Q5KMatVec.tile(address, w.pieces(), x, factors, to, scratch);
                case Q6_K -> Q6KMatVec.tile(address, w.pieces(), x, factors, to, scratch);
                default -> unpacked(w, g, x, factors, scratch, to);
            }
        }
    }

    /** Past the last group units read it again; nobody reads what they give. */
    private static void bytes(PackedMatrix w, int group, long x, long factors, long y) {
        long bytes = w.groupBytes();
        int last = w.groups() - 1;
        long o0 = w.address() + bytes * group;
        long o1 = w.address() + bytes * Math.min(last, group + L / 16);
        long o2 = w.address() + bytes * Math.min(last, group + 2 * L / 16);
        long o3 = w.address() + bytes * Math.min(last, group + 3 * L / 16);
        Q8MatVec.tile(o0, o1, o2, o3, w.pieces().count(), x, factors, y);
    }

    private static void unpacked(PackedMatrix w, int group, long x, long factors, long scratch, long y) {
        long panelFactors = scratch + (long) PIECES * PiecePanels.PANEL_BYTES;
        int count = w.pieces().count();
        for (int p = 0; p < count; p += PIECES) {
            int to = Math.min(count, p + PIECES);
            PiecePanels.unpack(w, group, p, to, scratch, panelFactors);
            PanelMatVec.tile(scratch, panelFactors, to - p, x + 128L * p, factors + 20L * p, y);
        }
    }
}
