package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.Lanes.ALL;
import static dev.troupe.kernel.vector.Lanes.FLOAT;
import static dev.troupe.kernel.vector.Lanes.L;
import static dev.troupe.kernel.vector.Lanes.LE;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.ColumnPieces;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products, whole or in chunks: divides rows over workers, prepares activations, picks the tile by the number of
 * tokens, and adds chunks by the tree. How rows and tokens are grouped never enters an output's own chain.
 */
final class MatrixProduct implements AutoCloseable {
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int GROUP = PackedMatrix.GROUP_ROWS;

    /** Up to so many tokens are multiplied one by one; more share an unpacked panel. */
    private static final int ONE_BY_ONE = 4;

    /** Tokens that are in work together; a multiple of both tiles. */
    private static final int TOKEN_BLOCK = 480;

    /** Columns of a panel: 128 KB. */
    private static final int PANEL_COLUMNS = 1024;

    private static final int PANEL_PIECES = PANEL_COLUMNS / 32;
    private static final long PANEL_BYTES = 128L * PANEL_COLUMNS;

    /** Below so many bytes of weights waking other threads costs more than it gives. */
    private static final long SERIAL_BYTES = 1 << 15;

    private final WorkerPool pool;
    private final Scratch rounded = new Scratch();
    private final Scratch packed = new Scratch();
    private final Scratch[] own;
    private final Tensor[] single = new Tensor[1];

    private final WorkerPool.Work roundToken = this::roundToken;
    private final WorkerPool.Work packTile = this::packTile;
    private final WorkerPool.Work oneByOne = this::oneByOne;
    private final WorkerPool.Work together = this::together;

    private @Nullable PackedMatrix whole;
    private @Nullable ChunkedMatrix parts;
    private @Nullable Tensor bias;
    private Tensor[] sums = single;
    private DType type = DType.F32;
    private int chunks;
    private int rows;
    private int columns;
    private int blocks;
    private int stack;
    private long x;
    private long xStride;
    private int firstToken;
    private int tokens;
    private int tile;
    private long values;
    private long scales;
    private long tiles;
    private long tileScales;

    MatrixProduct(WorkerPool pool) {
        this.pool = pool;
        this.own = new Scratch[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Scratch();
        }
    }

    /** As {@code Kernels.matmul}. */
    void multiply(PackedMatrix w, @Nullable Tensor bias, Tensor x, int tokens, Tensor y) {
        KernelShapes.requireMatmul(w, bias, x, tokens, y);
        whole = w;
        parts = null;
        this.bias = bias;
        single[0] = y;
        sums = single;
        chunks = 1;
        stack = 1;
        start(w.type(), w.rows(), x, tokens, w.byteSize());
    }

    /** As {@code Kernels.matmulChunks}. */
    void multiply(ChunkedMatrix w, Tensor x, int tokens, Tensor[] sums) {
        KernelShapes.requireMatmulChunks(w, w.nodes(), x, tokens, sums);
        whole = null;
        parts = w;
        bias = null;
        this.sums = sums;
        chunks = w.chunks().size();
        stack = 2 + 32 - Integer.numberOfLeadingZeros(w.groups()) + 32 - Integer.numberOfLeadingZeros(w.subChunks());
        start(w.chunks().getFirst().type(), w.rows(), x, tokens, Long.MAX_VALUE);
    }

    private PackedMatrix chunk(int c) {
        if (whole != null) {
            return whole;
        }
        if (parts == null) {
            throw new IllegalStateException("no product is running");
        }
        return parts.chunks().get(c);
    }

    private void start(DType type, int rows, Tensor x, int allTokens, long bytes) {
        this.type = type;
        this.rows = rows;
        this.x = x.address();
        this.xStride = 4L * x.columns();
        columns = 0;
        blocks = 0;
        for (int c = 0; c < chunks; c++) {
            columns += chunk(c).columns();
            blocks += chunk(c).pieces().activationBlocks();
        }
        int groups = Math.ceilDiv(rows, GROUP);
        for (firstToken = 0; firstToken < allTokens; firstToken += tokens) {
            tokens = Math.min(TOKEN_BLOCK, allTokens - firstToken);
            if (type.quantised()) {
                values = rounded.atLeast(4L * tokens * (columns + blocks));
                scales = values + 4L * tokens * columns;
                run(tokens, roundToken, bytes);
            }
            if (tokens <= ONE_BY_ONE) {
                run(Math.ceilDiv(groups, Lanes.GROUPS), oneByOne, bytes);
            } else {
                tile = type.quantised() ? Q8PanelProduct.TOKENS : PanelProduct.TOKENS;
                int count = Math.ceilDiv(tokens, tile);
                tiles = packed.atLeast(4L * count * tile * (columns + blocks));
                tileScales = tiles + 4L * count * tile * columns;
                run(count, packTile, bytes);
                run(groups, together, bytes);
            }
        }
        whole = null;
        parts = null;
        bias = null;
    }

    private void run(int items, WorkerPool.Work work, long bytes) {
        if (bytes < SERIAL_BYTES) {
            for (int item = 0; item < items; item++) {
                work.run(item, 0);
            }
        } else {
            pool.run(items, work);
        }
    }

    private long xAt(int token, int column) {
        return x + (firstToken + token) * xStride + 4L * column;
    }

    /** Rounds all chunks of one token. */
    private void roundToken(int token, int worker) {
        long value = values + 4L * token * columns;
        long scale = scales + 4L * token * blocks;
        for (int c = 0; c < chunks; c++) {
            PackedMatrix w = chunk(c);
            ActivationRounding.round(xAt(token, w.firstColumn()), w.columns(), value, scale);
            value += 4L * w.columns();
            scale += 4L * w.pieces().activationBlocks();
        }
    }

    /** Turns a tile of tokens to {@code [columns][tile]}, padded with zeros. */
    private void packTile(int item, int worker) {
        long to = tiles + 4L * item * tile * columns;
        int first = item * tile;
        int count = Math.min(tile, tokens - first);
        if (type.quantised()) {
            turn(values + 4L * first * columns, 4L * columns, columns, count, to);
            turn(scales + 4L * first * blocks, 4L * blocks, blocks, count, tileScales + 4L * item * tile * blocks);
            return;
        }
        for (int c = 0; c < chunks; c++) {
            PackedMatrix w = chunk(c);
            turn(xAt(first, w.firstColumn()), xStride, w.columns(), count, to);
            to += 4L * tile * w.columns();
        }
    }

    private void turn(long from, long stride, int columns, int count, long to) {
        for (int t = 0; t < tile; t++) {
            if (t < count) {
                for (int k = 0; k < columns; k++) {
                    ALL.set(FLOAT, to + 4L * (k * tile + t), ALL.get(FLOAT, from + t * stride + 4L * k));
                }
            } else {
                for (int k = 0; k < columns; k++) {
                    ALL.set(FLOAT, to + 4L * (k * tile + t), 0f);
                }
            }
        }
    }

    /** The rows of eight vectors times every token, one token after the other. */
    private void oneByOne(int item, int worker) {
        int group = item * Lanes.GROUPS;
        long slotBytes = 4L * GROUP * Lanes.GROUPS;
        long slots = own[worker].atLeast(slotBytes * stack);
        for (int t = 0; t < tokens; t++) {
            long value = values + 4L * t * columns;
            long scale = scales + 4L * t * blocks;
            int top = 0;
            for (int c = 0; c < chunks; c++) {
                PackedMatrix w = chunk(c);
                matVec(w, group, xAt(t, w.firstColumn()), value, scale, slots + slotBytes * top);
                value += 4L * w.columns();
                scale += 4L * w.pieces().activationBlocks();
                top = fold(c, top, slots, GROUP * Lanes.GROUPS);
                if (top == 0) {
                    write(c, t, slots, group * GROUP, GROUP * Lanes.GROUPS);
                }
            }
        }
    }

    /** Past the last group units read it again; nobody reads what they give. */
    private static void matVec(PackedMatrix w, int group, long x, long values, long scales, long y) {
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
            case Q8_0 -> Q8MatVec.tile(o0, o1, o2, o3, w.pieces(), values, scales, y);
        }
    }

    /** One group of rows times all tokens of the block. */
    private void together(int group, int worker) {
        int padded = Math.ceilDiv(tokens, tile) * tile;
        long slotBytes = 4L * GROUP * padded;
        long panel = own[worker].atLeast(PANEL_BYTES + 128L * PANEL_PIECES + slotBytes * stack);
        long slots = panel + PANEL_BYTES + 128L * PANEL_PIECES;
        int column = 0;
        int block = 0;
        int top = 0;
        for (int c = 0; c < chunks; c++) {
            PackedMatrix w = chunk(c);
            long slot = slots + slotBytes * top;
            ALL.asSlice(slot, slotBytes).fill((byte) 0);
            if (type.quantised()) {
                quantised(w, group, panel, column, block, slot);
            } else {
                floats(w, group, panel, column, slot);
            }
            column += w.columns();
            block += w.pieces().activationBlocks();
            top = fold(c, top, slots, GROUP * padded);
            for (int t = 0; top == 0 && t < tokens; t++) {
                write(c, t, slots + 4L * GROUP * t, group * GROUP, GROUP);
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
                long activations = tiles + 4L * ((long) t * columns + (long) (column + k) * tile);
                PanelProduct.tile(weights, activations, count, slot + 4L * GROUP * t);
            }
        }
    }

    private void quantised(PackedMatrix w, int group, long panel, int column, int block, long slot) {
        ColumnPieces pieces = w.pieces();
        long address = w.address() + group * w.groupBytes();
        long panelScales = panel + PANEL_BYTES;
        for (int p = 0; p < pieces.count(); p += PANEL_PIECES) {
            int to = Math.min(pieces.count(), p + PANEL_PIECES);
            Panels.q8(address + (long) PackedMatrix.Q8_PIECE_BYTES * p, to - p, panel, panelScales);
            for (int t = 0; t < tokens; t += tile) {
                long activations = tiles + 4L * ((long) t * columns + (long) (column + pieces.start(p)) * tile);
                long scale = tileScales + 4L * ((long) t * blocks + (long) block * tile);
                Q8PanelProduct.tile(panel, panelScales, pieces, p, to, activations, scale, slot + 4L * GROUP * t);
            }
        }
    }

    /**
     * Adds the upper stack entries as the tree says after chunk c, whose product is entry {@code top}.
     *
     * @return where the next product goes; 0 when entry 0 is the sum of a node
     */
    private int fold(int c, int top, long slots, int floats) {
        if (parts == null) {
            return 0;
        }
        int entry = top;
        for (int merge = parts.mergesAfter(c); merge > 0; merge--) {
            long right = slots + 4L * floats * entry;
            long left = right - 4L * floats;
            for (int i = 0; i < floats; i += L) {
                FloatVector.fromMemorySegment(F, ALL, left + 4L * i, LE)
                        .add(FloatVector.fromMemorySegment(F, ALL, right + 4L * i, LE))
                        .intoMemorySegment(ALL, left + 4L * i, LE);
            }
            entry--;
        }
        return parts.nodeEndingAt(c) >= 0 ? 0 : entry + 1;
    }

    /** Copies up to {@code count} outputs of a token from row {@code row}, never past the last row. */
    private void write(int c, int token, long from, int row, int count) {
        Tensor y = sums[parts == null ? 0 : parts.nodeEndingAt(c)];
        long to = y.address() + 4L * ((long) (firstToken + token) * y.columns() + row);
        int end = Math.min(count, rows - row);
        if (bias == null) {
            for (int i = 0; i < end; i++) {
                ALL.set(FLOAT, to + 4L * i, ALL.get(FLOAT, from + 4L * i));
            }
            return;
        }
        long b = bias.address() + 4L * row;
        for (int i = 0; i < end; i++) {
            ALL.set(FLOAT, to + 4L * i, ALL.get(FLOAT, from + 4L * i) + ALL.get(FLOAT, b + 4L * i));
        }
    }

    @Override
    public void close() {
        rounded.close();
        packed.close();
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
