/*
 * Products of block-quantised weights with rounded activations, with the bits of dev.troupe.kernel.reference.
 *
 * The integer sum of a piece of 32 columns is exact, so the eight-bit dot products of AVX-512 VNNI may form it in any order.
 * What rounds is done as NUMERICS rule 2 says: one chain a row, for each piece acc = fma(I, d * s, acc) and then, for types
 * with an offset, acc = fma(M, b * s, acc). Compile with -ffp-contract=off and without fast math.
 *
 * Weights are read as they are packed for the Java kernels (dev.troupe.kernel.quantised.PackedFormat). A vector lane is a
 * row, and one int of a lane holds the codes of four columns, as unsigned bytes: what was added to a weight to make it
 * unsigned, its zero, is taken back by the value that a sum starts from, -zero * (sum of the activations).
 */
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")))
#define INLINE TARGET static inline __attribute__((always_inline))

enum {
    ROWS = 32,
    /* Tokens of a tile. One tile alone takes weights from their packed form, more share a panel. */
    TILE = 4,
    /* Pieces of a panel, 36 to 56 KB: about what the first cache holds, and few enough reloads of the chains. */
    PANEL_PIECES = 32,
    CODE_BYTES = 1024
};

/* A piece's activations of one token; they lie [tile][piece][tokens of the tile]. */
struct record {
    int8_t q[32];     /* rounded, in the order of the type's codes */
    float s;          /* their scale */
    int32_t start[2]; /* where the integer sums of columns 0 to 15 and 16 to 31 start, or that of all and nothing */
    float sum[2];     /* sums of q likewise */
};

/* What PackedFormat says of a type. */
struct format {
    int low_bits, high_bits, zero, scales, mins, offset, run;
};

/* In the order of NativeProducts.id. */
static const struct format Q8_0 = {8, 0, 128, 0, 0, 0, 0};
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

/* Factors of a piece's weights, rows 0 to 15 and 16 to 31, all f32: d, the integer scales of both halves of the columns, b and its own. */
struct factors {
    __m512 d[2], scale[2][2], b[2], min[2][2];
};

INLINE int halves(const struct format f) {
    return f.scales == 2;
}

INLINE int64_t panel_bytes(const struct format f) {
    return CODE_BYTES + 128 * (1 + f.scales + f.offset + f.mins);
}

/* The piece at a walk, which then stands at the next. Pieces end where a block of the file's grid or of the activations does. */
INLINE struct piece next(const struct format f, struct walk *walk) {
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
        int64_t to_grid = 32 - (walk->grid + walk->column) % 32;
        int64_t to_block = 32 - walk->column % 32;
        walk->column += to_grid < to_block ? to_grid : to_block;
    }
    return piece;
}

/* 32 f16 (mxfp4: bf16), row i in the low and row i + 16 in the high half of int i, as f32. */
INLINE void widen(const struct format f, const uint8_t *from, __m512 to[2]) {
    __m512i v = _mm512_loadu_si512(from);
    if (f.zero == 12) {
        to[0] = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
        to[1] = _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int) 0xffff0000)));
        return;
    }
    to[0] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
    to[1] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16)));
}

/* 32 signed bytes as f32. */
INLINE void integers(const uint8_t *from, __m512 to[2]) {
    to[0] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *) from)));
    to[1] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *) (from + 16))));
}

INLINE void factors(const struct format f, const struct piece piece, struct factors *to) {
    if (!f.run || piece.scales) {
        widen(f, piece.scales, to->d);
        if (f.offset) {
            widen(f, piece.scales + 64, to->b);
        }
    }
    for (int i = 0; i < f.scales; i++) {
        integers(piece.integers + ROWS * i, to->scale[i]);
    }
    for (int i = 0; i < f.mins; i++) {
        integers(piece.integers + ROWS * (f.scales + i), to->min[i]);
    }
}

/* Byte 4r + j: column j of row r, from two columns of 32 rows in each of two vectors; then rows 16 to 31. */
#define QUAD(r) (r), 32 + (r), 64 + (r), 96 + (r)
static const uint8_t QUADS[128] __attribute__((aligned(64))) = {
    QUAD(0),  QUAD(1),  QUAD(2),  QUAD(3),  QUAD(4),  QUAD(5),  QUAD(6),  QUAD(7),  QUAD(8),  QUAD(9),  QUAD(10),
    QUAD(11), QUAD(12), QUAD(13), QUAD(14), QUAD(15), QUAD(16), QUAD(17), QUAD(18), QUAD(19), QUAD(20), QUAD(21),
    QUAD(22), QUAD(23), QUAD(24), QUAD(25), QUAD(26), QUAD(27), QUAD(28), QUAD(29), QUAD(30), QUAD(31)};

/* The doubled elements of mxfp4 by code, plus 12. */
static const uint8_t FLOAT4[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

/*
 * Codes of columns 8g to 8g + 7: of the first four in the activations' order for rows 0 to 15 and 16 to 31, then of the
 * other four. Planes of bits have even columns first, then odd ones; bytes have the columns as they come.
 */
INLINE void codes(const struct format f, const struct piece piece, const int g, __m512i to[4]) {
    if (f.low_bits == 8) {
        const __m512i sign = _mm512_set1_epi8((char) 0x80);
        for (int i = 0; i < 4; i += 2) {
            __m512i a = _mm512_xor_si512(_mm512_loadu_si512(piece.low + 256 * g + 64 * i), sign);
            __m512i b = _mm512_xor_si512(_mm512_loadu_si512(piece.low + 256 * g + 64 * i + 64), sign);
            to[i] = _mm512_permutex2var_epi8(a, _mm512_load_si512(QUADS), b);
            to[i + 1] = _mm512_permutex2var_epi8(a, _mm512_load_si512(QUADS + 64), b);
        }
        return;
    }
    const __m512i low = _mm512_set1_epi8((char) ((1 << f.low_bits) - 1));
    const __m512i high = _mm512_set1_epi8((char) (((1 << f.high_bits) - 1) << f.low_bits));
    for (int i = 0; i < 2; i++) {
        __m512i v = _mm512_loadu_si512(piece.low + 128 * (g * f.low_bits / 4) + 64 * i);
        const int shift = f.low_bits * (g % (4 / f.low_bits));
        __m512i even = _mm512_and_si512(shift == 0 ? v : _mm512_srli_epi32(v, shift), low);
        __m512i odd = _mm512_and_si512(_mm512_srli_epi32(v, shift + 4), low);
        if (f.high_bits != 0) {
            const int bits = f.high_bits;
            v = _mm512_loadu_si512(piece.high + 128 * (g * bits / 4) + 64 * i);
            const int up = f.low_bits - bits * (g % (4 / bits));
            /* even | (v shifted & high): one ternary operation */
            __m512i h = up >= 0 ? _mm512_slli_epi32(v, up) : _mm512_srli_epi32(v, -up);
            even = _mm512_ternarylogic_epi32(even, h, high, 0xf8);
            h = up >= 4 ? _mm512_slli_epi32(v, up - 4) : _mm512_srli_epi32(v, 4 - up);
            odd = _mm512_ternarylogic_epi32(odd, h, high, 0xf8);
        }
        if (f.zero == 12) {
            const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *) FLOAT4));
            even = _mm512_shuffle_epi8(table, even);
            odd = _mm512_shuffle_epi8(table, odd);
        }
        to[i] = even;
        to[i + 2] = odd;
    }
}

INLINE void load_factors(const struct format f, const uint8_t *panel, struct factors *to) {
    const float *from = (const float *) (panel + CODE_BYTES);
    for (int i = 0; i < 2; i++, from += 16) {
        const float *at = from;
        to->d[i] = _mm512_loadu_ps(at);
        for (int j = 0; j < f.scales; j++) {
            to->scale[j][i] = _mm512_loadu_ps(at += 32);
        }
        if (f.offset) {
            to->b[i] = _mm512_loadu_ps(at += 32);
        }
        for (int j = 0; j < f.mins; j++) {
            to->min[j][i] = _mm512_loadu_ps(at += 32);
        }
    }
}

/* Unpacks pieces of a group to codes and factors as the tiles of a panel load them; w keeps the factors of a run. */
INLINE void unpack(
        const struct format f, struct walk *walk, struct factors *w, const int64_t pieces, uint8_t *panel) {
    for (int64_t p = 0; p < pieces; p++, panel += panel_bytes(f)) {
        struct piece piece = next(f, walk);
        factors(f, piece, w);
        for (int g = 0; g < 4; g++) {
            __m512i c[4];
            codes(f, piece, g, c);
            for (int i = 0; i < 4; i++) {
                _mm512_storeu_si512(panel + 256 * g + 64 * i, c[i]);
            }
        }
        for (int i = 0; i < 2; i++) {
            float *to = (float *) (panel + CODE_BYTES) + 16 * i;
            _mm512_storeu_ps(to, w->d[i]);
            for (int j = 0; j < f.scales; j++) {
                _mm512_storeu_ps(to += 32, w->scale[j][i]);
            }
            if (f.offset) {
                _mm512_storeu_ps(to += 32, w->b[i]);
            }
            for (int j = 0; j < f.mins; j++) {
                _mm512_storeu_ps(to += 32, w->min[j][i]);
            }
        }
    }
}

/* Four activations for every lane. */
INLINE __m512i four(const struct record *x, const int from) {
    int32_t value;
    memcpy(&value, x->q + from, 4);
    return _mm512_set1_epi32(value);
}

/* One piece of 16 rows and one token goes to its chain: a and b are the integer sums of the columns' halves. */
INLINE __m512 chain(
        const struct format f, const struct factors *w, const int i, const struct record *x, __m512i a, __m512i b, __m512 y) {
    const __m512 s = _mm512_set1_ps(x->s);
    __m512 sum = _mm512_cvtepi32_ps(a);
    if (f.scales > 0) {
        sum = _mm512_mul_ps(sum, w->scale[0][i]);
    }
    if (halves(f)) {
        sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(b), w->scale[1][i], sum);
    }
    y = _mm512_fmadd_ps(sum, _mm512_mul_ps(w->d[i], s), y);
    if (f.offset) {
        __m512 m = _mm512_set1_ps(x->sum[0]);
        if (f.mins > 0) {
            m = _mm512_mul_ps(m, w->min[0][i]);
        }
        if (f.mins == 2) {
            m = _mm512_fmadd_ps(_mm512_set1_ps(x->sum[1]), w->min[1][i], m);
        }
        y = _mm512_fmadd_ps(m, _mm512_mul_ps(w->b[i], s), y);
    }
    return y;
}

/*
 * A group of 32 rows times n tokens. With a walk weights are taken as they are packed, without one from a panel.
 * y is [n][stride] and holds the chains so far, unless this is their first piece.
 */
INLINE void tile(
        const struct format f,
        const int n,
        struct walk *walk,
        const uint8_t *panel,
        const int64_t pieces,
        const struct record *x,
        float *y,
        const int64_t stride,
        const int first) {
    struct factors w = {0};
    __m512 r[TILE][2];
    for (int t = 0; t < n; t++) {
        for (int i = 0; i < 2; i++) {
            r[t][i] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(y + t * stride + 16 * i);
        }
    }
    for (int64_t p = 0; p < pieces; p++, x += n) {
        struct piece piece = {0};
        __m512i a[TILE][2], b[TILE][2];
        if (walk) {
            piece = next(f, walk);
        }
        for (int t = 0; t < n; t++) {
            a[t][0] = a[t][1] = _mm512_set1_epi32(x[t].start[0]);
            b[t][0] = b[t][1] = halves(f) ? _mm512_set1_epi32(x[t].start[1]) : _mm512_setzero_si512();
        }
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++) {
            __m512i c[4];
            if (walk) {
                codes(f, piece, g, c);
            } else {
                for (int i = 0; i < 4; i++) {
                    c[i] = _mm512_loadu_si512(panel + 256 * g + 64 * i);
                }
            }
#pragma GCC unroll 4
            for (int t = 0; t < n; t++) {
                const __m512i v = four(x + t, 8 * g), u = four(x + t, 8 * g + 4);
                for (int i = 0; i < 2; i++) {
                    __m512i *to = halves(f) && g >= 2 ? &b[t][i] : &a[t][i];
                    *to = _mm512_dpbusd_epi32(*to, c[i], v);
                    *to = _mm512_dpbusd_epi32(*to, c[i + 2], u);
                }
            }
        }
        if (walk) {
            factors(f, piece, &w);
        } else {
            load_factors(f, panel, &w);
            panel += panel_bytes(f);
        }
#pragma GCC unroll 4
        for (int t = 0; t < n; t++) {
            for (int i = 0; i < 2; i++) {
                r[t][i] = chain(f, &w, i, x + t, a[t][i], b[t][i], r[t][i]);
            }
        }
    }
    for (int t = 0; t < n; t++) {
        for (int i = 0; i < 2; i++) {
            _mm512_storeu_ps(y + t * stride + 16 * i, r[t][i]);
        }
    }
}

/* A product's operands: count groups of rows, tokens, and where the pieces of this chunk are among all of the activations. */
struct product {
    const uint8_t *groups;
    int64_t group_bytes, count, grid, pieces;
    const struct record *x;
    int64_t all_pieces, first_piece, tokens;
    float *y;
    uint8_t *panel;
};

#define DIRECT_TILE(f, n) \
    case n: \
        tile(f, n, &walk, 0, a->pieces, a->x + n * a->first_piece, y, ROWS * a->count, 1); \
        break;

#define PANEL_TILE(f, n) \
    case n: \
        tile(f, n, 0, panel, pieces, x + n * from, y, stride, first); \
        break;

/* Tiles of panels differ by factors only, not by how codes are packed. */
#define PANEL_TILES(name, f) \
    TARGET static __attribute__((noinline)) void name( \
            int64_t n, const uint8_t *panel, int64_t pieces, const struct record *x, int64_t from, float *y, \
            int64_t stride, int first) { \
        switch (n) { \
            PANEL_TILE(f, 1) \
            PANEL_TILE(f, 2) \
            PANEL_TILE(f, 3) \
            PANEL_TILE(f, 4) \
        } \
    }

PANEL_TILES(plain_tiles, Q8_0)
PANEL_TILES(offset_tiles, Q4_1)
PANEL_TILES(scaled_tiles, Q4_K)
PANEL_TILES(halved_tiles, Q6_K)
PANEL_TILES(halved_offset_tiles, Q2_K)

#define PRODUCT(name, f, tiles) \
    TARGET static void name(const struct product *a) { \
        for (int64_t g = 0; g < a->count; g++) { \
            struct walk walk = {a->groups + g * a->group_bytes, 0, a->grid}; \
            struct factors w = {0}; \
            float *y = a->y + ROWS * g; \
            switch (a->tokens) { \
                DIRECT_TILE(f, 1) \
                DIRECT_TILE(f, 2) \
                DIRECT_TILE(f, 3) \
                DIRECT_TILE(f, 4) \
                default: \
                    for (int64_t p = 0; p == 0 || p < a->pieces; p += PANEL_PIECES) { \
                        int64_t pieces = a->pieces - p < PANEL_PIECES ? a->pieces - p : PANEL_PIECES; \
                        unpack(f, &walk, &w, pieces, a->panel); \
                        for (int64_t t = 0; t < a->tokens; t += TILE) { \
                            int64_t n = a->tokens - t < TILE ? a->tokens - t : TILE; \
                            tiles(n, a->panel, pieces, a->x + t * a->all_pieces, a->first_piece + p, \
                                    y + t * ROWS * a->count, ROWS * a->count, p == 0); \
                        } \
                    } \
            } \
        } \
    }

PRODUCT(product_q8_0, Q8_0, plain_tiles)
PRODUCT(product_q4_0, Q4_0, plain_tiles)
PRODUCT(product_q4_1, Q4_1, offset_tiles)
PRODUCT(product_q5_0, Q5_0, plain_tiles)
PRODUCT(product_q5_1, Q5_1, offset_tiles)
PRODUCT(product_q2_k, Q2_K, halved_offset_tiles)
PRODUCT(product_q3_k, Q3_K, halved_tiles)
PRODUCT(product_q4_k, Q4_K, scaled_tiles)
PRODUCT(product_q5_k, Q5_K, scaled_tiles)
PRODUCT(product_q6_k, Q6_K, halved_tiles)
PRODUCT(product_mxfp4, MXFP4, plain_tiles)

static const struct {
    const struct format *format;
    void (*product)(const struct product *);
} TYPES[] = {
    {&Q8_0, product_q8_0}, {&Q4_0, product_q4_0}, {&Q4_1, product_q4_1}, {&Q5_0, product_q5_0},
    {&Q5_1, product_q5_1}, {&Q2_K, product_q2_k}, {&Q3_K, product_q3_k}, {&Q4_K, product_q4_k},
    {&Q5_K, product_q5_k}, {&Q6_K, product_q6_k}, {&MXFP4, product_mxfp4}};

/* 1 where the functions below run on this processor, otherwise 0. */
EXPORT int32_t troupe_supported(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
            && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
}

/*
 * Makes the records of one token.
 *
 * values: integers as f32 [pieces][32]; factors: f32 [pieces][5], of which the first is s, the next two the sums of columns 0
 * to 15 and 16 to 31; records: gets [pieces], width records apart.
 */
EXPORT TARGET void troupe_activations(
        int32_t type, int64_t pieces, const float *values, const float *factors, struct record *records, int64_t width) {
    const struct format f = *TYPES[type].format;
    const __m128i order = f.low_bits == 8 ? _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
                                          : _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    for (int64_t p = 0; p < pieces; p++, values += 32, factors += 5, records += width) {
        for (int i = 0; i < 2; i++) {
            __m128i q = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_loadu_ps(values + 16 * i)));
            _mm_storeu_si128((void *) (records->q + 16 * i), _mm_shuffle_epi8(q, order));
        }
        const int split = halves(f);
        records->s = factors[0];
        records->sum[0] = split ? factors[1] : factors[1] + factors[2];
        records->sum[1] = split ? factors[2] : 0;
        for (int i = 0; i < 2; i++) {
            records->start[i] = -f.zero * (int32_t) records->sum[i];
        }
    }
}

/*
 * Multiplies groups of 32 rows with tokens.
 *
 * groups: count of them, group_bytes apart; grid: column of the whole matrix where this chunk starts; pieces of the chunk;
 * x: records of all chunks, [tile][all_pieces][tokens of the tile], where tiles have 4 tokens and the last one may have less;
 * first_piece: of this chunk among all; y: gets f32 [tokens][32 * count]; panel: 32 times 1792 bytes.
 */
EXPORT TARGET void troupe_product(
        int32_t type,
        const uint8_t *groups,
        int64_t group_bytes,
        int64_t count,
        int64_t grid,
        int64_t pieces,
        const struct record *x,
        int64_t all_pieces,
        int64_t first_piece,
        int64_t tokens,
        float *y,
        uint8_t *panel) {
    const struct product product = {
        groups, group_bytes, count, grid, pieces, x, all_pieces, first_piece, tokens, y, panel};
    TYPES[type].product(&product);
}

#else

EXPORT int32_t troupe_supported(void) {
    return 0;
}

EXPORT void troupe_activations(void) {}

EXPORT void troupe_product(void) {}

#endif
