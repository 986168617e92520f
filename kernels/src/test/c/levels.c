/*
 * Digests of products of every type and of attention at one level of the native kernels: random weights as they are packed,
 * random caches, random sizes. The digests of all levels, on all processors, are equal. Argument: the level's bits.
 */
#define _POSIX_C_SOURCE 200112L
#include "../../main/c/troupe_kernels.c"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 60 };

static uint64_t state;

/* 0 to limit - 1 */
static uint32_t below(uint32_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t) (state >> 16) % limit;
}

/* Exactly so many bytes, so that checks of memory see one too many. */
static void *memory(int64_t bytes) {
    void *made;
    if (posix_memalign(&made, 64, (size_t) bytes)) {
        abort();
    }
    return made;
}

/* A finite f16 (mxfp4: bf16), sometimes subnormal. */
static uint16_t scale(const struct format *f) {
    if (f->zero == 12) {
        return (uint16_t) ((110 + below(20)) << 7);
    }
    if (below(9) == 0) {
        return (uint16_t) below(3);
    }
    uint32_t sign = below(2);
    uint32_t exponent = 4 + below(10);
    return (uint16_t) (sign << 15 | exponent << 10 | below(1024));
}

/* A group of rows: anything at all, but for its float scales. */
static void fill(const struct format *f, uint8_t *group, int64_t bytes, int64_t pieces, int64_t grid) {
    for (int64_t i = 0; i < bytes; i++) {
        group[i] = (uint8_t) below(256);
    }
    struct walk walk = {group, 0, grid};
    for (int64_t k = 0; k < pieces; k++) {
        struct piece piece = next(*f, &walk);
        for (int i = 0; piece.scales && i < (f->offset ? 64 : 32); i++) {
            uint16_t value = scale(f);
            memcpy((uint8_t *) piece.scales + 2 * i, &value, 2);
        }
    }
}

/* Records of random activations: zeros, tiny ones and some of one size among them. */
static void record(int32_t type, int64_t columns, int64_t grid, int64_t pieces, int64_t tokens, struct record *records) {
    float *x = memory(4 * columns);
    for (int64_t t = 0; t < tokens; t++) {
        float size = 1;
        for (int64_t k = 0; k < columns; k++) {
            if (k % 32 == 0) {
                const float sizes[] = {0, 1e-44f, 1e-39f, 1e-3f, 1, 77, 1e30f};
                size = sizes[below(7)];
            }
            x[k] = below(4) == 0 ? (below(2) ? size : -size) : size * ((float) below(20001) - 10000) / 10000;
        }
        int64_t first = t / TILE * TILE;
        int64_t width = tokens - first < TILE ? tokens - first : TILE;
        troupe_activations(type, columns, grid, x, records + first * pieces + t - first, width);
    }
    free(x);
}

static int64_t bytes_of(const struct format *f, int64_t grid, int64_t pieces) {
    struct walk walk = {0, 0, grid};
    for (int64_t k = 0; k < pieces; k++) {
        next(*f, &walk);
    }
    return (int64_t) (intptr_t) walk.at;
}

static int64_t count_pieces(int64_t columns, int64_t grid) {
    int64_t count = 0;
    for (int64_t k = 0; k < columns; k += piece_columns(grid, k)) {
        count++;
    }
    return count;
}

static uint64_t digest(uint64_t hash, const void *of, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i++) {
        hash = (hash ^ ((const uint8_t *) of)[i]) * 1099511628211u;
    }
    return hash;
}

static uint64_t product(int32_t type, uint64_t hash) {
    int64_t tokens = 1 + below(40);
    int64_t columns = 1 + below(2200);
    int64_t count = 1 + below(3);
    int64_t grid = below(2) ? 0 : below(300);
    int64_t pieces = count_pieces(columns, grid), first = pieces > 3 ? below(3) : 0;
    int64_t group_bytes = bytes_of(FORMATS[type], grid, pieces);
    uint8_t *groups = memory(group_bytes * count), *panel = memory(32 * 1792);
    for (int64_t g = 0; g < count; g++) {
        fill(FORMATS[type], groups + g * group_bytes, group_bytes, pieces, grid);
    }
    struct record *records = memory((int64_t) sizeof(struct record) * tokens * pieces);
    record(type, columns, grid, pieces, tokens, records);
    hash = digest(hash, records, (int64_t) sizeof(struct record) * (FORMATS[type]->low_bits == 8 ? 0 : tokens * pieces));
    float *y = memory(4 * ROWS * count * tokens);
    troupe_product(
            type, groups, group_bytes, count, grid, pieces - first, records, pieces, first, tokens, y, panel);
    hash = digest(hash, y, 4 * ROWS * count * tokens);
    free(groups);
    free(panel);
    free(records);
    free(y);
    return hash;
}

/* Finite f16, sometimes subnormal. */
static uint16_t *halves_of(int64_t count) {
    uint16_t *made = memory(2 * count);
    for (int64_t i = 0; i < count; i++) {
        made[i] = (uint16_t) (below(2) << 15 | below(17) << 10 | below(1024));
    }
    return made;
}

static float *floats_of(int64_t count, float size) {
    float *made = memory(4 * count);
    for (int64_t i = 0; i < count; i++) {
        made[i] = size * ((float) below(20001) - 10000) / 10000;
    }
    return made;
}

/* Every block is memory of its own, those without a visible neighbour are none. */
static uint64_t attention_of(uint64_t hash) {
    const int64_t block_size = 16 << below(4);
    const int64_t kv_heads = 1 + below(4), per_group = 1 + below(9), head_dim = 1 + below(below(4) ? 90 : 260);
    const int64_t width = (head_dim + 15) / 16 * 16, heads = kv_heads * per_group;
    const int64_t from = below(3) ? 0 : below(SPAN), to = below(3) ? SPAN : from + 1 + below((uint32_t) (SPAN - from));
    const int64_t low = from / 32 * 32 / block_size, high = ((to + 31) / 32 * 32 - 1) / block_size;
    uint16_t *keys[SPAN / 16] = {0}, *values[SPAN / 16] = {0};
    for (int64_t b = low; b <= high; b++) {
        keys[b] = halves_of(kv_heads * head_dim * block_size);
        values[b] = halves_of(kv_heads * width * block_size);
    }
    float *queries = floats_of(heads * head_dim, below(3) ? 1 : 30), *scores = memory(4 * heads * SPAN);
    float *maxima = memory(4 * heads), *denominators = memory(4 * heads), *outputs = memory(4 * heads * width);
    troupe_attention(
            (const uint16_t *const *) keys, (const uint16_t *const *) values, keys[low], block_size, from, to, kv_heads,
            per_group, head_dim, queries, 0.3f, scores, maxima, denominators, outputs);
    hash = digest(hash, maxima, 4 * heads);
    hash = digest(hash, denominators, 4 * heads);
    hash = digest(hash, outputs, 4 * heads * width);
    for (int64_t b = low; b <= high; b++) {
        free(keys[b]);
        free(values[b]);
    }
    free(queries);
    free(scores);
    free(maxima);
    free(denominators);
    free(outputs);
    return hash;
}

int main(int arguments, char **argument) {
    int bits = arguments == 2 ? atoi(argument[1]) : 0;
    if (bits == 0 || troupe_choose(bits) != bits) {
        fprintf(stderr, "no level of %d bits runs here\n", bits);
        return 1;
    }
    for (int32_t type = 0; type < (int32_t) (sizeof FORMATS / sizeof *FORMATS); type++) {
        state = 88172645463325252u + (uint64_t) type;
        uint64_t hash = 14695981039346656037u;
        for (int round = 0; round < ROUNDS; round++) {
            hash = product(type, hash);
        }
        printf("type %d: %016llx\n", type, (unsigned long long) hash);
    }
    uint64_t hash = 14695981039346656037u;
    state = 88172645463325252u;
    for (int round = 0; round < 2 * ROUNDS; round++) {
        hash = attention_of(hash);
    }
    printf("attention: %016llx\n", (unsigned long long) hash);
    return 0;
}
