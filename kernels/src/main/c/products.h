/*
 * Products of one level, which has defined LEVEL, TARGET, INLINE, LANES, BYTE_ZERO and its operations on vectors before it
 * includes this, without a guard.
 *
 * A vector lane is a row. Rows come in pairs of vectors: pair p has rows LANES * p and following, and those 16 further.
 */
#define INTS LEVEL(ints)
#define FLOATS LEVEL(floats)
#define PAIRS (16 / LANES)

/* Factors of a pair's rows, all f32: d, the integer scales of both halves of the columns, b and its own. */
struct LEVEL(factors) {
    FLOATS d[2], scale[2][2], b[2], min[2][2];
};

INLINE void LEVEL(two_vectors)(const uint8_t *rows, const int p, FLOATS to[2]) {
    to[0] = LEVEL(from_bytes)(rows + LANES * p);
    to[1] = LEVEL(from_bytes)(rows + LANES * p + 16);
}

/* The factors of pair p in a piece; to has those of the piece before. */
INLINE void LEVEL(unpack_factors)(const struct format f, const struct piece piece, const int p, struct LEVEL(factors) *to) {
    if (!f.run || piece.scales) {
        LEVEL(widen)(f, piece.scales + 4 * LANES * p, to->d);
        if (f.offset) {
            LEVEL(widen)(f, piece.scales + 64 + 4 * LANES * p, to->b);
        }
    }
    for (int i = 0; i < f.scales; i++) {
        LEVEL(two_vectors)(piece.integers + ROWS * i, p, to->scale[i]);
    }
    for (int i = 0; i < f.mins; i++) {
        LEVEL(two_vectors)(piece.integers + ROWS * (f.scales + i), p, to->min[i]);
    }
}

/* Codes of columns 8g to 8g + 7 of pair p: of the first four in the activations' order for both vectors, then of the others. */
INLINE void LEVEL(codes)(const struct format f, const struct piece piece, const int g, const int p, INTS to[4]) {
    if (f.low_bits == 8) {
        LEVEL(quads)(piece.low + 256 * g, p, to, to + 1);
        LEVEL(quads)(piece.low + 256 * g + 128, p, to + 2, to + 3);
        return;
    }
    const INTS low = LEVEL(all_bytes)((1 << f.low_bits) - 1);
    const INTS high = LEVEL(all_bytes)(((1 << f.high_bits) - 1) << f.low_bits);
    for (int i = 0; i < 2; i++) {
        const int rows = 4 * LANES * p + 64 * i;
        INTS v = LEVEL(load_ints)(piece.low + 128 * (g * f.low_bits / 4) + rows);
        const int shift = f.low_bits * (g % (4 / f.low_bits));
        INTS even = LEVEL(and)(shift == 0 ? v : LEVEL(shift)(v, shift), low);
        INTS odd = LEVEL(and)(LEVEL(shift)(v, shift + 4), low);
        if (f.high_bits != 0) {
            const int bits = f.high_bits;
            v = LEVEL(load_ints)(piece.high + 128 * (g * bits / 4) + rows);
            const int down = bits * (g % (4 / bits)) - f.low_bits;
            even = LEVEL(or_masked)(even, LEVEL(shift)(v, down), high);
            odd = LEVEL(or_masked)(odd, LEVEL(shift)(v, down + 4), high);
        }
        if (f.zero == 12) {
            even = LEVEL(look_up)(FLOAT4, even);
            odd = LEVEL(look_up)(FLOAT4, odd);
        }
        to[i] = even;
        to[i + 2] = odd;
    }
}

/* The floats of a panel's piece: 32 of d, of each integer scale, of b, of each of its own. */
INLINE void LEVEL(load_factors)(const struct format f, const uint8_t *panel, const int p, struct LEVEL(factors) *to) {
    for (int i = 0; i < 2; i++) {
        const float *at = (const float *) (panel + CODE_BYTES) + LANES * p + 16 * i;
        to->d[i] = LEVEL(load)(at);
        for (int j = 0; j < f.scales; j++) {
            to->scale[j][i] = LEVEL(load)(at += 32);
        }
        if (f.offset) {
            to->b[i] = LEVEL(load)(at += 32);
        }
        for (int j = 0; j < f.mins; j++) {
            to->min[j][i] = LEVEL(load)(at += 32);
        }
    }
}

INLINE void LEVEL(store_factors)(const struct format f, const struct LEVEL(factors) *w, const int p, uint8_t *panel) {
    for (int i = 0; i < 2; i++) {
        float *to = (float *) (panel + CODE_BYTES) + LANES * p + 16 * i;
        LEVEL(store)(to, w->d[i]);
        for (int j = 0; j < f.scales; j++) {
            LEVEL(store)(to += 32, w->scale[j][i]);
        }
        if (f.offset) {
            LEVEL(store)(to += 32, w->b[i]);
        }
        for (int j = 0; j < f.mins; j++) {
            LEVEL(store)(to += 32, w->min[j][i]);
        }
    }
}

/* Unpacks pieces of a group to codes and factors as the tiles of a panel load them; w keeps the factors of a run. */
INLINE void LEVEL(unpack)(
        const struct format f, struct walk *walk, struct LEVEL(factors) w[PAIRS], const int64_t pieces, uint8_t *panel) {
    for (int64_t k = 0; k < pieces; k++, panel += panel_bytes(f)) {
        struct piece piece = next(f, walk);
        for (int p = 0; p < PAIRS; p++) {
            LEVEL(unpack_factors)(f, piece, p, w + p);
            for (int g = 0; g < 4; g++) {
                INTS c[4];
                LEVEL(codes)(f, piece, g, p, c);
                for (int i = 0; i < 4; i++) {
                    LEVEL(store_ints)(panel + 256 * g + 16 * LANES * p + 4 * LANES * i, c[i]);
                }
            }
            LEVEL(store_factors)(f, w + p, p, panel);
        }
    }
}

/* Four activations for every lane. */
INLINE INTS LEVEL(four)(const struct record *x, const int from) {
    int32_t value;
    memcpy(&value, x->q + from, 4);
    return LEVEL(all_ints)(value);
}

/* One piece of a vector of rows and one token goes to its chain: a and b are the integer sums of the columns' halves. */
INLINE FLOATS LEVEL(chain)(
        const struct format f, const struct LEVEL(factors) *w, const int i, const struct record *x, INTS a, INTS b, FLOATS y) {
    const FLOATS s = LEVEL(all)(x->s);
    FLOATS sum = LEVEL(to_floats)(a);
    if (f.scales > 0) {
        sum = LEVEL(multiply)(sum, w->scale[0][i]);
    }
    if (halves(f)) {
        sum = LEVEL(fma)(LEVEL(to_floats)(b), w->scale[1][i], sum);
    }
    y = LEVEL(fma)(sum, LEVEL(multiply)(w->d[i], s), y);
    if (f.offset) {
        FLOATS m = LEVEL(all)(x->sum[0]);
        if (f.mins > 0) {
            m = LEVEL(multiply)(m, w->min[0][i]);
        }
        if (f.mins == 2) {
            m = LEVEL(fma)(LEVEL(all)(x->sum[1]), w->min[1][i], m);
        }
        y = LEVEL(fma)(m, LEVEL(multiply)(w->b[i], s), y);
    }
    return y;
}

/*
 * A group of 32 rows times n tokens. With a walk weights are taken as they are packed, without one from a panel.
 * y is [n][stride] and holds the chains so far, unless this is their first piece.
 */
INLINE void LEVEL(tile)(
        const struct format f,
        const int n,
        struct walk *walk,
        const uint8_t *panel,
        const int64_t pieces,
        const struct record *x,
        float *y,
        const int64_t stride,
        const int first) {
    struct LEVEL(factors) w[PAIRS] = {0};
    FLOATS r[PAIRS][TILE][2];
    for (int p = 0; p < PAIRS; p++) {
        for (int t = 0; t < n; t++) {
            for (int i = 0; i < 2; i++) {
                r[p][t][i] = first ? LEVEL(all)(0) : LEVEL(load)(y + t * stride + LANES * p + 16 * i);
            }
        }
    }
    for (int64_t k = 0; k < pieces; k++, x += n) {
        struct piece piece = {0};
        if (walk) {
            piece = next(f, walk);
        }
#pragma GCC unroll 4
        for (int p = 0; p < PAIRS; p++) {
            INTS a[TILE][2], b[TILE][2];
            for (int t = 0; t < n; t++) {
                a[t][0] = a[t][1] = LEVEL(all_ints)(x[t].start[0]);
                b[t][0] = b[t][1] = LEVEL(all_ints)(halves(f) ? x[t].start[1] : 0);
            }
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++) {
                INTS c[4];
                if (walk) {
                    LEVEL(codes)(f, piece, g, p, c);
                } else {
                    for (int i = 0; i < 4; i++) {
                        c[i] = LEVEL(load_ints)(panel + 256 * g + 16 * LANES * p + 4 * LANES * i);
                    }
                }
#pragma GCC unroll 4
                for (int t = 0; t < n; t++) {
                    const INTS v = LEVEL(four)(x + t, 8 * g), u = LEVEL(four)(x + t, 8 * g + 4);
                    for (int i = 0; i < 2; i++) {
                        INTS *to = halves(f) && g >= 2 ? &b[t][i] : &a[t][i];
                        *to = LEVEL(dot)(f, *to, c[i], v, c[i + 2], u);
                    }
                }
            }
            if (walk) {
                LEVEL(unpack_factors)(f, piece, p, w + p);
            } else {
                LEVEL(load_factors)(f, panel, p, w + p);
            }
#pragma GCC unroll 4
            for (int t = 0; t < n; t++) {
                for (int i = 0; i < 2; i++) {
                    r[p][t][i] = LEVEL(chain)(f, w + p, i, x + t, a[t][i], b[t][i], r[p][t][i]);
                }
            }
        }
        if (!walk) {
            panel += panel_bytes(f);
        }
    }
    for (int p = 0; p < PAIRS; p++) {
        for (int t = 0; t < n; t++) {
            for (int i = 0; i < 2; i++) {
                LEVEL(store)(y + t * stride + LANES * p + 16 * i, r[p][t][i]);
            }
        }
    }
}

#define DIRECT_TILE(f, n) \
    case n: \
        LEVEL(tile)(f, n, &walk, 0, a->pieces, x + n * a->first_piece, to, ROWS * a->count, 1); \
        break;

#define PANEL_TILE(f, n) \
    case n: \
        LEVEL(tile)(f, n, 0, panel, pieces, x + n * from, y, stride, first); \
        break;

/* Tiles of panels differ by factors only, not by how codes are packed; but bytes are signed where codes are not. */
#define PANEL_TILES(name, f) \
    TARGET static __attribute__((noinline)) void LEVEL(name)( \
            int64_t n, const uint8_t *panel, int64_t pieces, const struct record *x, int64_t from, float *y, \
            int64_t stride, int first) { \
        switch (n) { \
            PANEL_TILE(f, 1) \
            PANEL_TILE(f, 2) \
            PANEL_TILE(f, 3) \
            PANEL_TILE(f, 4) \
        } \
    }

PANEL_TILES(byte_tiles, Q8_0)
PANEL_TILES(plain_tiles, Q4_0)
PANEL_TILES(offset_tiles, Q4_1)
PANEL_TILES(scaled_tiles, Q4_K)
PANEL_TILES(halved_tiles, Q6_K)
PANEL_TILES(halved_offset_tiles, Q2_K)

/* Few tokens: every tile takes the weights as they are packed, the first from memory, others from the cache. */
#define DIRECT(f) \
    for (int64_t t = 0; t < a->tokens; t += TILE) { \
        struct walk walk = start; \
        const struct record *x = a->x + t * a->all_pieces; \
        float *to = y + t * ROWS * a->count; \
        switch (a->tokens - t) { \
            DIRECT_TILE(f, 1) \
            DIRECT_TILE(f, 2) \
            DIRECT_TILE(f, 3) \
            default: \
                LEVEL(tile)(f, 4, &walk, 0, a->pieces, x + 4 * a->first_piece, to, ROWS * a->count, 1); \
        } \
    }

/* Many tokens: they share what is unpacked once, a panel. */
#define PANELS(f, tiles) \
    struct walk walk = start; \
    struct LEVEL(factors) w[PAIRS] = {0}; \
    for (int64_t p = 0; p == 0 || p < a->pieces; p += PANEL_PIECES) { \
        int64_t pieces = a->pieces - p < PANEL_PIECES ? a->pieces - p : PANEL_PIECES; \
        LEVEL(unpack)(f, &walk, w, pieces, a->panel); \
        for (int64_t t = 0; t < a->tokens; t += TILE) { \
            int64_t n = a->tokens - t < TILE ? a->tokens - t : TILE; \
            LEVEL(tiles)(n, a->panel, pieces, a->x + t * a->all_pieces, a->first_piece + p, \
                    y + t * ROWS * a->count, ROWS * a->count, p == 0); \
        } \
    }

#define PRODUCT(name, f, tiles) \
    TARGET static void LEVEL(name)(const struct product *a) { \
        for (int64_t g = 0; g < a->count; g++) { \
            const struct walk start = {a->groups + g * a->group_bytes, 0, a->grid}; \
            float *y = a->y + ROWS * g; \
            if (a->tokens <= MOST_DIRECT) { \
                DIRECT(f) \
            } else { \
                PANELS(f, tiles) \
            } \
        } \
    }

PRODUCT(q8_0, Q8_0, byte_tiles)
PRODUCT(q4_0, Q4_0, plain_tiles)
PRODUCT(q4_1, Q4_1, offset_tiles)
PRODUCT(q5_0, Q5_0, plain_tiles)
PRODUCT(q5_1, Q5_1, offset_tiles)
PRODUCT(q2_k, Q2_K, halved_offset_tiles)
PRODUCT(q3_k, Q3_K, halved_tiles)
PRODUCT(q4_k, Q4_K, scaled_tiles)
PRODUCT(q5_k, Q5_K, scaled_tiles)
PRODUCT(q6_k, Q6_K, halved_tiles)
PRODUCT(mxfp4, MXFP4, plain_tiles)

/* The record of a piece whose columns have the integers q, at their places in the weight block and 0 elsewhere. */
INLINE void LEVEL(write)(const struct format f, const int8_t q[BLOCK], float s, struct record *to) {
    const int bytes = f.low_bits == 8;
    const int zero = bytes ? BYTE_ZERO : f.zero;
    int32_t low = 0, high = 0;
    for (int i = 0; i < 16; i++) {
        low += q[i];
        high += q[i + 16];
    }
    for (int i = 0; i < BLOCK; i += 16) {
        LEVEL(reorder)(q + i, bytes ? BYTE_ORDER_16 : PLANE_ORDER_16, to->q + i);
    }
    int32_t sums[2] = {halves(f) ? low : low + high, halves(f) ? high : 0};
    to->s = s;
    for (int i = 0; i < 2; i++) {
        to->sum[i] = (float) sums[i];
        to->start[i] = -zero * sums[i];
    }
}

/* Rounds blocks of 32 columns, as NUMERICS rule 2 says, and lays them out as pieces of weights are. */
TARGET static void LEVEL(activations)(
        const struct format *f,
        int64_t columns,
        int64_t grid,
        const float *x,
        struct record *records,
        int64_t width) {
    for (int64_t from = 0; from < columns; from += BLOCK) {
        float block[BLOCK] = {0};
        int8_t q[BLOCK] = {0};
        int64_t count = columns - from < BLOCK ? columns - from : BLOCK;
        memcpy(block, x + from, 4 * count);
        const float s = LEVEL(largest)(block) / 127;
        if (s != 0) {
            LEVEL(round)(block, s, q);
        }
        for (int64_t k = 0, length; k < count; k += length, records += width) {
            length = piece_columns(grid, from + k);
            if (length == BLOCK) {
                LEVEL(write)(*f, q, s, records);
                continue;
            }
            int8_t part[BLOCK] = {0};
            length = length < count - k ? length : count - k;
            memcpy(part + (grid + from + k) % BLOCK, q + k, length);
            LEVEL(write)(*f, part, s, records);
        }
    }
}

/* Every sum is the codes of others in the next round, so that nothing of a dot product is the same in all rounds. */
TARGET static int32_t LEVEL(dots)(int64_t rounds) {
    INTS sum[DOTS];
    const INTS x = LEVEL(all_bytes)(1), y = LEVEL(all_bytes)((int) (rounds & 3));
    for (int i = 0; i < DOTS; i++) {
        sum[i] = LEVEL(all_bytes)(i);
    }
    for (int64_t k = 0; k < rounds; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < DOTS; i++) {
            sum[i] = LEVEL(dot)(Q4_0, sum[i], sum[(i + 1) % DOTS], x, sum[(i + 2) % DOTS], y);
        }
    }
    int32_t lanes[DOTS * LANES], all = 0;
    for (int i = 0; i < DOTS; i++) {
        LEVEL(store_ints)(lanes + LANES * i, sum[i]);
    }
    for (int i = 0; i < DOTS * LANES; i++) {
        all ^= lanes[i];
    }
    return all;
}

static const struct level LEVEL(level) = {
    32 * LANES,
    LEVEL(dots),
    LEVEL(activations),
    LEVEL(attention),
    {LEVEL(q8_0), LEVEL(q4_0), LEVEL(q4_1), LEVEL(q5_0), LEVEL(q5_1), LEVEL(q2_k), LEVEL(q3_k), LEVEL(q4_k), LEVEL(q5_k),
     LEVEL(q6_k), LEVEL(mxfp4)}};

#undef LEVEL
#undef TARGET
#undef INLINE
#undef LANES
#undef BYTE_ZERO
#undef INTS
#undef FLOATS
#undef PAIRS
#undef DIRECT_TILE
#undef DIRECT
#undef PANELS
#undef PANEL_TILE
#undef PANEL_TILES
#undef PRODUCT
