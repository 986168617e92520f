/* How weights and activations lie in memory, for every level. */
#ifndef TROUPE_FORMATS_H
#define TROUPE_FORMATS_H

#include "spans.h"

#include <stdint.h>
#include <string.h>

enum {
    ROWS = 32,
    /* Tokens of a tile, and of a batch that takes weights from their packed form, which is faster for few; more share a panel. */
    TILE = 4,
    MOST_DIRECT = 32,
    /* Pieces of a panel, 36 to 56 KB: about what the first cache holds, and few enough reloads of the chains. */
    PANEL_PIECES = 32,
    CODE_BYTES = 1024,
    BLOCK = 32,
    /* Sums that do not wait for each other: more than latency times units of any core. */
    DOTS = 12
};

/* A piece's activations of one token; they lie [tile][piece][tokens of the tile]. */
struct record {
    int8_t q[BLOCK];  /* rounded, in the order of the type's codes */
    float s;          /* their scale */
    int32_t start[2]; /* where the integer sums of columns 0 to 15 and 16 to 31 start, or that of all and nothing */
    float sum[2];     /* sums of q likewise */
};

/* What PackedFormat says of a type. */
struct format {
    int low_bits, high_bits, zero, scales, mins, offset, run;
};

/* In the order of NativeProducts.id. Bytes are signed: what makes them unsigned is a level's own. */
static const struct format Q8_0 = {8, 0, 0, 0, 0, 0, 0};
static const struct format Q4_0 = {4, 0, 8, 0, 0, 0, 0};
static const struct format Q4_1 = {4, 0, 0, 0, 0, 1, 0};
static const struct format Q5_0 = {4, 1, 16, 0, 0, 0, 0};
static const struct format Q5_1 = {4, 1, 0, 0, 0, 1, 0};
static const struct format Q2_K = {2, 0, 0, 2, 2, 1, 1};
static const struct format Q3_K = {2, 1, 4, 2, 0, 0, 1};
static const struct format Q4_K = {4, 0, 0, 1, 1, 1, 1};
static const struct format Q5_K = {4, 1, 0, 1, 1, 1, 1};
static const struct format Q6_K = {4, 2, 32, 2, 0, 0, 1};
/* Doubled values through a table that adds 12; the table is told by the zero. */
static const struct format MXFP4 = {4, 0, 12, 0, 0, 0, 0};

static const struct format *const FORMATS[] = {&Q8_0, &Q4_0, &Q4_1, &Q5_0, &Q5_1, &Q2_K,
                                               &Q3_K, &Q4_K, &Q5_K, &Q6_K, &MXFP4};

/* The doubled elements of mxfp4 by code, plus 12. */
static const uint8_t FLOAT4[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

/* Where 16 columns of a piece stand among its codes: bytes have them as they come, planes the even of eight first. */
static const uint8_t BYTE_ORDER_16[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t PLANE_ORDER_16[16] = {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15};

/* Where a group's next piece lies. */
struct walk {
    const uint8_t *at;
    int64_t column;
    int64_t grid;
};

/* The parts of a packed piece; scales are null where they are those of the piece before. */
struct piece {
    const uint8_t *scales, *integers, *low, *high;
};

/* A product's operands: count groups of rows, tokens, and where the pieces of this chunk are among all of the activations. */
struct product {
    const uint8_t *groups;
    int64_t group_bytes, count, grid, pieces;
    const struct record *x;
    int64_t all_pieces, first_piece, tokens;
    float *y;
    uint8_t *panel;
};

/* What a level does for a type. */
typedef void products(const struct product *);
typedef void activations(
        const struct format *f, int64_t columns, int64_t grid, const float *x, struct record *records, int64_t width);

/* Dot products in registers: in every round DOTS for each lane of a vector, of eight products each. Returns what is left of them. */
typedef int32_t dots(int64_t rounds);

struct level {
    int32_t bits;
    dots *dots;
    activations *activations;
    attention *attention;
    products *products[11];
};

ANYWHERE int halves(const struct format f) {
    return f.scales == 2;
}

ANYWHERE int64_t panel_bytes(const struct format f) {
    return CODE_BYTES + 128 * (1 + f.scales + f.offset + f.mins);
}

/* Columns from one to where a block of the file's grid or of the activations ends: those of its piece, but at the chunk's end. */
ANYWHERE int64_t piece_columns(int64_t grid, int64_t column) {
    int64_t to_grid = BLOCK - (grid + column) % BLOCK;
    int64_t to_block = BLOCK - column % BLOCK;
    return to_grid < to_block ? to_grid : to_block;
}

/* The piece at a walk, which then stands at the next. */
ANYWHERE struct piece next(const struct format f, struct walk *walk) {
    const int scale_bytes = f.offset ? 128 : 64;
    struct piece piece = {0};
    if (!f.run || walk->column == 0 || (walk->grid + walk->column) % 256 == 0) {
        piece.scales = walk->at;
        walk->at += scale_bytes;
    }
    piece.integers = walk->at;
    piece.low = piece.integers + ROWS * (f.scales + f.mins);
    piece.high = piece.low + 4 * ROWS * f.low_bits;
    walk->at = piece.high + 4 * ROWS * f.high_bits;
    if (f.run) {
        walk->column += piece_columns(walk->grid, walk->column);
    }
    return piece;
}

#endif
