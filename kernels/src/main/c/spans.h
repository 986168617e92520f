/* What attention of a token over one span of its context is about, for every level. */
#ifndef TROUPE_SPANS_H
#define TROUPE_SPANS_H

#include <math.h>
#include <stdint.h>

enum {
    /* Tokens of a span, and lanes of its sum (NUMERICS rules 5 and 6). */
    SPAN = 128,
    SUM_LANES = 32,
    /* Query heads that share a load of keys or values, at most. */
    HEADS = 4,
    /* Halves in a line of the caches of any processor that this is for. */
    LINE_HALVES = 32,
    /* So many heads of a block ahead of what is read, memory is asked for: some kilobytes. */
    HEADS_AHEAD = 2
};

/*
 * Some neighbouring KV heads of one token over one span. Blocks are those of the cache (dev.troupe.kvstore.KvStore), by their
 * place in the span: keys f16 [kv_heads][head_dim][block_size], values f16 [kv_heads][block_size][width], where width is
 * head_dim rounded up to 16.
 */
struct span {
    const uint16_t *const *keys, *const *values; /* where the first of these KV heads starts in every block */
    const uint16_t *next;                        /* the keys that will probably be read after these: only asked for */
    int64_t block_size, from, to;                /* tokens from to to - 1 of the span are visible */
    int64_t kv_heads, per_group, head_dim;
    const float *queries; /* f32 [kv_heads][per_group][head_dim] */
    float scale;
    float *scores;                /* scratch, f32 [kv_heads][per_group][SPAN] */
    float *maxima, *denominators; /* get f32 [kv_heads][per_group] */
    float *outputs;               /* gets f32 [kv_heads][per_group][width] */
};

#define AHEAD(address) __builtin_prefetch(address, 0, 2)

#define ANYWHERE static inline __attribute__((always_inline))

ANYWHERE int64_t width_of(const struct span *a) {
    return (a->head_dim + 15) / 16 * 16;
}

/* Visible tokens and those that share their groups of 32. */
ANYWHERE int64_t low_of(const struct span *a) {
    return a->from / SUM_LANES * SUM_LANES;
}

ANYWHERE int64_t high_of(const struct span *a) {
    return (a->to + SUM_LANES - 1) / SUM_LANES * SUM_LANES;
}

/* Where the key of a token begins, and its value. */
ANYWHERE const uint16_t *keys_at(const struct span *a, int64_t j, int64_t head) {
    return a->keys[j / a->block_size] + head * a->head_dim * a->block_size + j % a->block_size;
}

ANYWHERE const uint16_t *values_at(const struct span *a, int64_t j, int64_t head) {
    return a->values[j / a->block_size] + (head * a->block_size + j % a->block_size) * width_of(a);
}

/* Tokens from j on are taken until there, of all heads: those of a block, and of two where blocks are smaller than vectors. */
ANYWHERE int64_t scores_end(const struct span *a, int64_t j) {
    const int64_t unit = a->block_size < SUM_LANES ? SUM_LANES : a->block_size;
    const int64_t end = (j / unit + 1) * unit;
    return end < high_of(a) ? end : high_of(a);
}

ANYWHERE int64_t values_end(const struct span *a, int64_t j) {
    const int64_t end = (j / a->block_size + 1) * a->block_size;
    return end < a->to ? end : a->to;
}

/* What is read some heads after the keys of tokens j to end - 1. */
ANYWHERE const uint16_t *ahead_of_keys(const struct span *a, int64_t j, int64_t end, int64_t head) {
    head += HEADS_AHEAD < a->kv_heads ? HEADS_AHEAD : a->kv_heads;
    if (head < a->kv_heads) {
        return keys_at(a, j, head);
    }
    return end < high_of(a) ? keys_at(a, end, head - a->kv_heads) : values_at(a, a->from, head - a->kv_heads);
}

/* And after their values. */
ANYWHERE const uint16_t *ahead_of_values(const struct span *a, int64_t j, int64_t end, int64_t head) {
    head += HEADS_AHEAD < a->kv_heads ? HEADS_AHEAD : a->kv_heads;
    if (head < a->kv_heads) {
        return values_at(a, j, head);
    }
    head -= a->kv_heads;
    return end < a->to ? values_at(a, end, head) : a->next + head * a->head_dim * a->block_size;
}

/* What a level does with it. */
typedef void attention(const struct span *);

#endif
