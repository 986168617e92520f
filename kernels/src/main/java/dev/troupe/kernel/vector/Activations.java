package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;

import dev.troupe.kernel.NumericsId;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.natives.NativeProducts;
import dev.troupe.tensor.Tensor;

/**
 * The activations of the product that is running, prepared for its tiles: as they are, rounded per block and laid out by
 * pieces for quantised weights, and, where many tokens share a panel of weights, turned to {@code [columns][tokens of a tile]}.
 * Native products take records of the rounded ones instead.
 */
final class Activations implements AutoCloseable {
    private static final int BLOCK = NumericsId.BLOCK;

    private final Operand operand;
    private final Scratch rounded = new Scratch();
    private final Scratch turned = new Scratch();
    private final Scratch recorded = new Scratch();

    private long x;
    private long stride;
    private int tokens;
    private int tile;
    private long values;
    private long factors;
    private long tiles;
    private long tileFactors;
    private long records;

    Activations(Operand operand) {
        this.operand = operand;
    }

    /**
     * Takes {@code tokens} rows of x from {@code firstToken}.
     *
     * @param natives whether {@link #record} follows instead of {@link #round}
     */
    void start(Tensor x, int firstToken, int tokens, boolean natives) {
        this.stride = 4L * x.columns();
        this.x = x.address() + firstToken * stride;
        this.tokens = tokens;
        if (natives) {
            records = recorded.atLeast((long) NativeProducts.RECORD_BYTES * tokens * operand.pieces());
        } else if (operand.type().quantised()) {
            values = rounded.atLeast(4L * tokens * operand.pieces() * (BLOCK + PieceActivations.FACTORS));
            factors = values + 4L * tokens * operand.pieces() * BLOCK;
        }
    }

    /** Bytes of scratch memory that {@link #round} needs. */
    long roundBytes() {
        return 4L * (operand.widest() + Math.ceilDiv(operand.widest(), BLOCK)) + 64;
    }

    /**
     * Rounds all chunks of one token and lays them out by pieces.
     *
     * @param scratch address of {@link #roundBytes} bytes
     */
    void round(int token, long scratch) {
        long value = values(token);
        long factor = factors(token);
        for (int c = 0; c < operand.chunks(); c++) {
            PackedMatrix w = operand.chunk(c);
            long scales = scratch + 4L * w.columns();
            ActivationRounding.round(row(token, w.firstColumn()), w.columns(), scratch, scales);
            PieceActivations.spread(w.pieces(), scratch, scales, value, factor);
            value += 4L * BLOCK * w.pieces().count();
            factor += 4L * PieceActivations.FACTORS * w.pieces().count();
        }
    }

    /** Rounds all chunks of one token and makes its records. */
    void record(int token) {
        int first = token / NativeProducts.TILE * NativeProducts.TILE;
        int width = Math.min(NativeProducts.TILE, tokens - first);
        long at = (long) first * operand.pieces() + token - first;
        for (int c = 0; c < operand.chunks(); c++) {
            PackedMatrix w = operand.chunk(c);
            NativeProducts.activations(
                    w, row(token, w.firstColumn()), records + NativeProducts.RECORD_BYTES * at, width);
            at += (long) width * w.pieces().count();
        }
    }

    /** Records of all tokens, {@code [tile][pieces][tokens of the tile]}. */
    long records() {
        return records;
    }

    /**
     * Makes room for tiles of {@code tile} tokens.
     *
     * @return how many there are
     */
    int startTiles(int tile) {
        this.tile = tile;
        int count = Math.ceilDiv(tokens, tile);
        long padded = 4L * count * tile;
        if (operand.type().quantised()) {
            tiles = turned.atLeast(padded * operand.pieces() * (BLOCK + PieceActivations.FACTORS));
            tileFactors = tiles + padded * operand.pieces() * BLOCK;
        } else {
            tiles = turned.atLeast(padded * operand.columns());
        }
        return count;
    }

    /** Turns one tile of tokens, padded with zeros. */
    void turn(int item) {
        int first = item * tile;
        int count = Math.min(tile, tokens - first);
        if (operand.type().quantised()) {
            int columns = operand.pieces() * BLOCK;
            int factors = operand.pieces() * PieceActivations.FACTORS;
            turn(values(first), 4L * columns, columns, count, pieceTile(first, 0));
            turn(factors(first), 4L * factors, factors, count, tileFactors(first, 0));
            return;
        }
        long to = tile(first, 0);
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

    /** Rounded values of a token, {@code [pieces][32]}, all chunks one after the other. */
    long values(int token) {
        return values + 4L * token * operand.pieces() * BLOCK;
    }

    /** Factors of a token's rounded values, {@code [pieces][5]}. */
    long factors(int token) {
        return factors + 4L * token * operand.pieces() * PieceActivations.FACTORS;
    }

    /** The tile of float types that begins with {@code token}, from a column counted over all chunks. */
    long tile(int token, int column) {
        return tiles + 4L * ((long) token * operand.columns() + (long) column * tile);
    }

    /** The tile of rounded values that begins with {@code token}, from a piece counted over all chunks. */
    long pieceTile(int token, int piece) {
        return tiles + 4L * BLOCK * ((long) token * operand.pieces() + (long) piece * tile);
    }

    /** Factors of the tile that begins with {@code token}, from a piece counted over all chunks. */
    long tileFactors(int token, int piece) {
        return tileFactors + 4L * PieceActivations.FACTORS * ((long) token * operand.pieces() + (long) piece * tile);
    }

    @Override
    public void close() {
        rounded.close();
        turned.close();
        recorded.close();
    }
}
