package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.Lanes.ALL;
import static dev.troupe.kernel.vector.Lanes.FLOAT;

import dev.troupe.kernel.PackedMatrix;
import dev.troupe.tensor.Tensor;

/**
 * The activations of the product that is running, prepared for its tiles: as they are, rounded per block for quantised
 * weights, and, where many tokens share a panel of weights, turned to {@code [columns][tokens of a tile]}.
 */
final class Activations implements AutoCloseable {
    private final Operand operand;
    private final Scratch rounded = new Scratch();
    private final Scratch turned = new Scratch();

    private long x;
    private long stride;
    private int tokens;
    private int tile;
    private long values;
    private long scales;
    private long tiles;
    private long tileScales;

    Activations(Operand operand) {
        this.operand = operand;
    }

    /** Takes {@code tokens} rows of x from {@code firstToken}. */
    void start(Tensor x, int firstToken, int tokens) {
        this.stride = 4L * x.columns();
        this.x = x.address() + firstToken * stride;
        this.tokens = tokens;
        if (operand.type().quantised()) {
            values = rounded.atLeast(4L * tokens * (operand.columns() + operand.blocks()));
            scales = values + 4L * tokens * operand.columns();
        }
    }

    /** Rounds all chunks of one token. */
    void round(int token) {
        long value = values(token);
        long scale = scales(token);
        for (int c = 0; c < operand.chunks(); c++) {
            PackedMatrix w = operand.chunk(c);
            ActivationRounding.round(row(token, w.firstColumn()), w.columns(), value, scale);
            value += 4L * w.columns();
            scale += 4L * w.pieces().activationBlocks();
        }
    }

    /**
     * Makes room for tiles of {@code tile} tokens.
     *
     * @return how many there are
     */
    int startTiles(int tile) {
        this.tile = tile;
        int count = Math.ceilDiv(tokens, tile);
        tiles = turned.atLeast(4L * count * tile * (operand.columns() + operand.blocks()));
        tileScales = tiles + 4L * count * tile * operand.columns();
        return count;
    }

    /** Turns one tile of tokens, padded with zeros. */
    void turn(int item) {
        int first = item * tile;
        int count = Math.min(tile, tokens - first);
        long to = tile(first, 0);
        if (operand.type().quantised()) {
            turn(values(first), 4L * operand.columns(), operand.columns(), count, to);
            turn(scales(first), 4L * operand.blocks(), operand.blocks(), count, tileScales(first, 0));
            return;
        }
        for (int c = 0; c < operand.chunks(); c++) {
            PackedMatrix w = operand.chunk(c);
            turn(row(first, w.firstColumn()), stride, w.columns(), count, to);
            to += 4L * tile * w.columns();
        }
    }

    private void turn(long from, long stride, int columns, int count, long to) {
        for (int t = 0; t < tile; t++) {
            for (int k = 0; k < columns; k++) {
                float value = t < count ? ALL.get(FLOAT, from + t * stride + 4L * k) : 0f;
                ALL.set(FLOAT, to + 4L * ((long) k * tile + t), value);
            }
        }
    }

    /** A token as it is, from a column of x. */
    long row(int token, int column) {
        return x + token * stride + 4L * column;
    }

    /** Rounded values of a token, all chunks one after the other. */
    long values(int token) {
        return values + 4L * token * operand.columns();
    }

    /** Scales of a token's rounded values. */
    long scales(int token) {
        return scales + 4L * token * operand.blocks();
    }

    /** The tile that begins with {@code token}, from a column counted over all chunks. */
    long tile(int token, int column) {
        return tiles + 4L * ((long) token * operand.columns() + (long) column * tile);
    }

    /** Scales of the tile that begins with {@code token}, from an activation block counted over all chunks. */
    long tileScales(int token, int block) {
        return tileScales + 4L * ((long) token * operand.blocks() + (long) block * tile);
    }

    @Override
    public void close() {
        rounded.close();
        turned.close();
    }
}
