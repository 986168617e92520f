package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.L;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.kernel.vector.lanes.Lanes;
import dev.troupe.kernel.vector.panel.OffsetPanelProduct;
import dev.troupe.kernel.vector.panel.PiecePanelProduct;
import dev.troupe.kernel.vector.panel.PiecePanels;
import dev.troupe.kernel.vector.quantised.QuantisedMatVec;
import dev.troupe.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products, whole or in chunks: divides rows over workers, picks the tile by the number of tokens, and adds chunks by
 * the tree. How rows and tokens are grouped never enters an output's own chain.
 */
final class MatrixProduct implements AutoCloseable {
    private static final int GROUP = PackedMatrix.GROUP_ROWS;

    /** Up to so many tokens are multiplied one by one; more share an unpacked panel. */
    private static final int ONE_BY_ONE = 4;

    /** Tokens that are in work together; a multiple of both tiles. */
    private static final int TOKEN_BLOCK = 480;

    /** Columns of a panel: 128 KB. */
    private static final int PANEL_COLUMNS = 1024;

    private static final int PANEL_PIECES = PANEL_COLUMNS / 32;
    private static final long PANEL_BYTES = 128L * PANEL_COLUMNS;
    private static final long PANEL_FACTORS = (long) PANEL_PIECES * PiecePanels.FACTOR_BYTES;

    /** Most groups of rows of an item of native work with few tokens: long runs of memory, even where chunks are narrow. */
    private static final int MOST_GROUPS = 32;

    /** Below so many bytes of weights waking other threads costs more than it gives. */
    private static final long SERIAL_BYTES = 1 << 15;

    private final WorkerPool pool;
    private final Operand operand = new Operand();
    private final Activations activations = new Activations(operand);
    private final Scratch[] own;
    private final Tensor[] single = new Tensor[1];

    private final WorkerPool.Work round = this::round;
    private final WorkerPool.Work record = (item, worker) -> activations.record(item);
    private final WorkerPool.Work turn = (item, worker) -> activations.turn(item);
    private final WorkerPool.Work oneByOne = this::oneByOne;
    private final WorkerPool.Work together = this::together;
    private final WorkerPool.Work compiled = this::compiled;

    private final Outputs outputs = new Outputs(operand);
    private final boolean natives;

    private int tokens;
    /** Groups of rows of an item of native work. */
    private int itemGroups;

    private int tile;

    /**
     * @param natives whether {@link NativeProducts}, which must run here, multiply the types that they know
     */
    MatrixProduct(WorkerPool pool, boolean natives) {
        this.pool = pool;
        this.natives = natives;
        this.own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Scratch();
        }
    }

    /** As {@code Kernels.matmul}. */
    void multiply(StackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y) {
        KernelShapes.requireMatmul(w, bias, x, tokens, y);
        single[0] = y;
        int firstRow = 0;
        List<PackedMatrix> parts = w.parts();
        for (int i = 0; i < parts.size(); i++) {
            operand.set(parts.get(i));
            outputs.start(single, bias, firstRow);
            run(x, tokens);
            firstRow += parts.get(i).rows();
        }
    }

    /** As {@code Kernels.matmulChunks}. */
    void multiply(ChunkedMatrix w, Tensor x, int tokens, Tensor[] sums) {
        KernelShapes.requireMatmulChunks(w, w.nodes(), x, tokens, sums);
        operand.set(w);
        outputs.start(sums, null, 0);
        run(x, tokens);
    }

    private void run(Tensor x, int allTokens) {
        boolean quantised = operand.type().quantised();
        int groups = Math.ceilDiv(operand.rows(), GROUP);
        boolean inC = natives && quantised;
        for (int first = 0; first < allTokens; first += tokens) {
            tokens = Math.min(TOKEN_BLOCK, allTokens - first);
            outputs.startAt(first);
            activations.start(x, first, tokens, inC);
            if (quantised) {
                share(tokens, inC ? record : round);
            }
            if (inC) {
                itemGroups = tokens <= ONE_BY_ONE ? groupsOfItem(groups) : 1;
                share(Math.ceilDiv(groups, itemGroups), compiled);
            } else if (tokens <= ONE_BY_ONE) {
                share(Math.ceilDiv(groups, Lanes.GROUPS), oneByOne);
            } else {
                tile = quantised ? PiecePanelProduct.TOKENS : PanelProduct.TOKENS;
                share(activations.startTiles(tile), turn);
                share(groups, together);
            }
        }
        outputs.clear();
        operand.clear();
    }

    /** Two items for every thread at least: one may be late. */
    private int groupsOfItem(int groups) {
        int items = pool.threads() == 1 ? 1 : 2 * pool.threads();
        return Math.clamp(groups / items, 1, MOST_GROUPS);
    }

    private void share(int items, WorkerPool.Work work) {
        if (operand.byteSize() < SERIAL_BYTES) {
            for (int item = 0; item < items; item++) {
                work.run(item, 0);
            }
        } else {
            pool.run(items, work);
        }
    }

    private void round(int token, int worker) {
        activations.round(token, own[worker].atLeast(activations.roundBytes()));
    }

    /** Some groups of rows times all tokens of the block, in C. */
    private void compiled(int item, int worker) {
        int group = item * itemGroups;
        int count = Math.min(itemGroups, Math.ceilDiv(operand.rows(), GROUP) - group);
        int floats = GROUP * count;
        long scratch = own[worker].atLeast(NativeProducts.SCRATCH_BYTES + 4L * floats * tokens * operand.stackDepth());
        long slots = scratch + NativeProducts.SCRATCH_BYTES;
        int piece = 0;
        int top = 0;
        for (int c = 0; c < operand.chunks(); c++) {
            PackedMatrix w = operand.chunk(c);
            long slot = slots + 4L * floats * tokens * top;
            NativeProducts.multiply(
                    w, group, count, activations.records(), operand.pieces(), piece, tokens, slot, scratch);
            piece += w.pieces().count();
            top = outputs.fold(c, top, slots, floats * tokens);
            for (int t = 0; top == 0 && t < tokens; t++) {
                outputs.write(c, t, slots + 4L * floats * t, group * GROUP, floats);
            }
        }
    }

    /** The rows of eight vectors times every token, one token after the other. */
    private void oneByOne(int item, int worker) {
        int group = item * Lanes.GROUPS;
        int floats = GROUP * Lanes.GROUPS;
        long scratch = own[worker].atLeast(QuantisedMatVec.SCRATCH_BYTES + 4L * floats * operand.stackDepth());
        long slots = scratch + QuantisedMatVec.SCRATCH_BYTES;
        boolean quantised = operand.type().quantised();
        for (int t = 0; t < tokens; t++) {
            long values = activations.values(t);
            long factors = activations.factors(t);
            int top = 0;
            for (int c = 0; c < operand.chunks(); c++) {
                PackedMatrix w = operand.chunk(c);
                long slot = slots + 4L * floats * top;
                if (quantised) {
                    QuantisedMatVec.rows(w, group, values, factors, scratch, slot);
                    values += 128L * w.pieces().count();
                    factors += 4L * PieceActivations.FACTORS * w.pieces().count();
                } else {
                    matVec(w, group, activations.row(t, w.firstColumn()), slot);
                }
                top = outputs.fold(c, top, slots, floats);
                if (top == 0) {
                    outputs.write(c, t, slots, group * GROUP, floats);
                }
            }
        }
    }

    /** Past the last group units read it again; nobody reads what they give. */
    private static void matVec(PackedMatrix w, int group, long x, long y) {
        long bytes = w.groupBytes();
        int last = w.groups() - 1;
        long o0 = w.address() + bytes * group;
        long o1 = w.address() + bytes * Math.min(last, group + L / 16);
        long o2 = w.address() + bytes * Math.min(last, group + 2 * L / 16);
        long o3 = w.address() + bytes * Math.min(last, group + 3 * L / 16);
        switch (w.type()) {
            case F32 -> F32MatVec.tile(o0, o1, o2, o3, w.columns(), x, y);
            case BF16 -> Bf16MatVec.tile(o0, o1, o2, o3, w.columns(), x, y);
            case F16 -> F16MatVec.tile(o0, o1, o2, o3, w.columns(), x, y);
            default -> throw new IllegalStateException("%s has blocks".formatted(w.type()));
        }
    }

    /** One group of rows times all tokens of the block. */
    private void together(int group, int worker) {
        int padded = Math.ceilDiv(tokens, tile) * tile;
        long slotBytes = 4L * GROUP * padded;
        long panel = own[worker].atLeast(PANEL_BYTES + PANEL_FACTORS + slotBytes * operand.stackDepth());
        long slots = panel + PANEL_BYTES + PANEL_FACTORS;
        int column = 0;
        int piece = 0;
        int top = 0;
        for (int c = 0; c < operand.chunks(); c++) {
            PackedMatrix w = operand.chunk(c);
            long slot = slots + slotBytes * top;
            ALL.asSlice(slot, slotBytes).fill((byte) 0);
            if (w.type().quantised()) {
                quantised(w, group, panel, piece, slot);
            } else {
                floats(w, group, panel, column, slot);
            }
            column += w.columns();
            piece += w.pieces().count();
            top = outputs.fold(c, top, slots, GROUP * padded);
            for (int t = 0; top == 0 && t < tokens; t++) {
                outputs.write(c, t, slots + 4L * GROUP * t, group * GROUP, GROUP);
            }
        }
    }

    private void floats(PackedMatrix w, int group, long panel, int column, long slot) {
        long address = w.address() + group * w.groupBytes();
        for (int k = 0; k < w.columns(); k += PANEL_COLUMNS) {
            int count = Math.min(PANEL_COLUMNS, w.columns() - k);
            long weights = panel;
            switch (w.type()) {
                case BF16 -> Panels.bf16(address + 64L * k, count, panel);
                case F16 -> Panels.f16(address + 64L * k, count, panel);
                default -> weights = address + 128L * k;
            }
            for (int t = 0; t < tokens; t += tile) {
                PanelProduct.tile(weights, activations.tile(t, column + k), count, slot + 4L * GROUP * t);
            }
        }
    }

    private void quantised(PackedMatrix w, int group, long panel, int piece, long slot) {
        long factors = panel + PANEL_BYTES;
        boolean offset = PackedFormat.of(w.type()).offset();
        int count = w.pieces().count();
        for (int p = 0; p < count; p += PANEL_PIECES) {
            int to = Math.min(count, p + PANEL_PIECES);
            PiecePanels.unpack(w, group, p, to, panel, factors);
            for (int t = 0; t < tokens; t += tile) {
                long x = activations.pieceTile(t, piece + p);
                long xFactors = activations.tileFactors(t, piece + p);
                if (offset) {
                    OffsetPanelProduct.tile(panel, factors, to - p, x, xFactors, slot + 4L * GROUP * t);
                } else {
                    PiecePanelProduct.tile(panel, factors, to - p, x, xFactors, slot + 4L * GROUP * t);
                }
            }
        }
    }

    @Override
    public void close() {
        activations.close();
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
