/*
 * Products of block-quantised weights with rounded activations, with the bits of dev.troupe.kernel.reference.
 *
 * The integer sum of a piece of 32 columns is exact, so eight-bit dot products may form it in any order. What rounds is done
 * as NUMERICS rule 2 says: one chain a row, for each piece acc = fma(I, d * s, acc) and then, for types with an offset,
 * acc = fma(M, b * s, acc). Compile with -ffp-contract=off and without fast math.
 *
 * Weights are read as they are packed for the Java kernels (dev.troupe.kernel.quantised.PackedFormat). A vector lane is a
 * row, and one int of a lane holds the codes of four columns, as unsigned bytes: what was added to a weight to make it
 * unsigned, its zero, is taken back by the value that a sum starts from, -zero * (sum of the activations). Where a level
 * multiplies signed bytes, those of q8_0 stay signed, and their zero is 0.
 */
#include "formats.h"

#define EXPORT __attribute__((visibility("default")))

#if defined(__x86_64__)
#include "avx2.h"
#include "avx512.h"
#include <cpuid.h>

/* By its bit: older compilers do not know its name. */
static int has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* The level of vectors of so many bits, or null where it does not run here. */
static const struct level *level(int32_t bits) {
    __builtin_cpu_init();
    if (bits == 512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")
            && __builtin_cpu_supports("avx512vbmi")) {
        return &level_avx512;
    }
    if (bits == 256 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c()) {
        return &level_avx2;
    }
    return 0;
}

#elif defined(__aarch64__)
#include "neon.h"
#include <asm/hwcap.h>
#include <sys/auxv.h>

static const struct level *level(int32_t bits) {
    return bits == 128 && getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? &level_neon : 0;
}

#else

static const struct level *level(int32_t bits) {
    (void) bits;
    return 0;
}

#endif

static const struct level *chosen;

/*
 * Chooses the widest vectors of at most so many bits that run on this processor, for all calls that follow. To be called
 * before anything else.
 *
 * returns their bits; 0 where none run
 */
EXPORT int32_t troupe_choose(int32_t most_bits) {
    for (int32_t bits = 512; bits >= 128; bits /= 2) {
        chosen = bits <= most_bits ? level(bits) : 0;
        if (chosen) {
            return bits;
        }
    }
    return 0;
}

/*
 * Forms dot products in registers and nothing else.
 *
 * left: gets what is left of them
 * returns products of two bytes, each with its addition, of one round
 */
EXPORT int64_t troupe_dots(int64_t rounds, int32_t *left) {
    *left = chosen->dots(rounds);
    return DOTS * 8 * (chosen->bits / 32);
}

/*
 * Rounds one token's activations of a chunk and makes their records.
 *
 * columns of the chunk, the first of which is column grid of the whole matrix; x: f32 [columns]; records: gets one for every
 * piece, width records apart.
 */
EXPORT void troupe_activations(
        int32_t type, int64_t columns, int64_t grid, const float *x, struct record *records, int64_t width) {
    chosen->activations(FORMATS[type], columns, grid, x, records, width);
}

/*
 * Multiplies groups of 32 rows with tokens.
 *
 * groups: count of them, group_bytes apart; grid: column of the whole matrix where this chunk starts; pieces of the chunk;
 * x: records of all chunks, [tile][all_pieces][tokens of the tile], where tiles have 4 tokens and the last one may have less;
 * first_piece: of this chunk among all; y: gets f32 [tokens][32 * count]; panel: 32 times 1792 bytes.
 */
EXPORT void troupe_product(
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
    chosen->products[type](&product);
}

/*
 * Attends with some neighbouring KV heads of one token to the visible tokens of one span, NUMERICS rule 6: spans.h says what is
 * what. Blocks of which no token is among the visible ones' neighbours, in groups of 32, are not read.
 */
EXPORT void troupe_attention(
        const uint16_t *const *keys,
        const uint16_t *const *values,
        const uint16_t *next,
        int64_t block_size,
        int64_t from,
        int64_t to,
        int64_t kv_heads,
        int64_t per_group,
        int64_t head_dim,
        const float *queries,
        float scale,
        float *scores,
        float *maxima,
        float *denominators,
        float *outputs) {
    const struct span span = {
        keys, values, next, block_size, from, to, kv_heads, per_group, head_dim, queries, scale,
        scores, maxima, denominators, outputs};
    chosen->attention(&span);
}
