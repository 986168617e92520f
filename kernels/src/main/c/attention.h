/*
 * Attention of one level over one span, which includes this as products.h: NUMERICS rule 6 for a token that shares its context
 * with no other. Keys and values are widened in registers, for up to four query heads at once. Every score is one chain over
 * the elements of a head, with tokens as lanes; every output is one over the visible tokens, with elements as lanes.
 *
 * Blocks are read as they lie, all heads of one and then the next: a processor foresees long runs of memory and not pieces
 * of one head. What comes next is asked for besides.
 */
#define FLOATS LEVEL(floats)

/* Vectors of elements of a tile: sums enough to hide an operation's latency, and no more than there are registers. */
#define VALUE_VECTORS(n) (LANES != 8 ? 4 : (n) == 1 ? 8 : (n) == 2 ? 4 : 2)

/* Scores of n heads for as many tokens as the vectors have lanes, from token j on. */
INLINE void LEVEL(score_tile)(
        const struct span *a,
        const int n,
        const int vectors,
        const int64_t head,
        const int64_t first,
        const int64_t j,
        const uint16_t *ahead) {
    const int64_t size = a->block_size, state = head * a->per_group + first;
    const float *q = a->queries + state * a->head_dim;
    const uint16_t *k[4];
    FLOATS sum[HEADS][4];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        const int64_t token = j + LANES * v;
        k[v] = keys_at(a, token, head);
    }
#pragma GCC unroll 4
    for (int h = 0; h < n; h++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            sum[h][v] = LEVEL(all)(0);
        }
    }
    for (int64_t e = 0; e < a->head_dim; e++) {
        FLOATS key[4];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            key[v] = LEVEL(load_halves)(k[v] + e * size);
        }
        AHEAD(ahead + LANES * vectors * e);
        if (LANES * vectors > LINE_HALVES) {
            AHEAD(ahead + LANES * vectors * e + LINE_HALVES);
        }
#pragma GCC unroll 4
        for (int h = 0; h < n; h++) {
            const FLOATS query = LEVEL(all)(q[h * a->head_dim + e]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                sum[h][v] = LEVEL(fma)(query, key[v], sum[h][v]);
            }
        }
    }
#pragma GCC unroll 4
    for (int h = 0; h < n; h++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            LEVEL(store)(a->scores + (state + h) * SPAN + j + LANES * v, LEVEL(multiply)(sum[h][v], LEVEL(all)(a->scale)));
        }
    }
}

/* Elements from e on, as many as the vectors have lanes, of n outputs: the chains over tokens j to end - 1 of one block. */
INLINE void LEVEL(value_tile)(
        const struct span *a,
        const int n,
        const int vectors,
        const int64_t head,
        const int64_t first,
        int64_t j,
        const int64_t end,
        const int64_t e,
        const uint16_t *ahead) {
    const int64_t width = width_of(a), state = head * a->per_group + first;
    const uint16_t *row = values_at(a, j, head) + e;
    const float *p = a->scores + state * SPAN;
    float *o = a->outputs + state * width + e;
    const int begins = j == a->from;
    FLOATS sum[HEADS][8];
#pragma GCC unroll 4
    for (int h = 0; h < n; h++) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            sum[h][v] = begins ? LEVEL(all)(0) : LEVEL(load)(o + h * width + LANES * v);
        }
    }
    for (; j < end; j++, row += width, ahead += LANES * vectors) {
        FLOATS value[8];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            value[v] = LEVEL(load_halves)(row + LANES * v);
        }
        AHEAD(ahead);
        if (LANES * vectors > LINE_HALVES) {
            AHEAD(ahead + LINE_HALVES);
        }
#pragma GCC unroll 4
        for (int h = 0; h < n; h++) {
            const FLOATS weight = LEVEL(all)(p[SPAN * h + j]);
#pragma GCC unroll 8
            for (int v = 0; v < vectors; v++) {
                sum[h][v] = LEVEL(fma)(weight, value[v], sum[h][v]);
            }
        }
    }
#pragma GCC unroll 4
    for (int h = 0; h < n; h++) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            LEVEL(store)(o + h * width + LANES * v, sum[h][v]);
        }
    }
}

/* exp(x) of x <= 0 or NaN, as dev.troupe.kernel.ExactMath has it. */
INLINE FLOATS LEVEL(exp)(FLOATS x) {
    const FLOATS rounder = LEVEL(all)(0x1.8p23f);
    FLOATS t = LEVEL(fma)(x, LEVEL(all)(0x1.715476p0f), rounder);
    FLOATS n = LEVEL(subtract)(t, rounder);
    FLOATS r = LEVEL(fma)(n, LEVEL(all)(-0x1.63p-1f), x);
    r = LEVEL(fma)(n, LEVEL(all)(0x1.bd0106p-13f), r);
    FLOATS q = LEVEL(fma)(LEVEL(all)(0x1.6a235p-10f), r, LEVEL(all)(0x1.123a6cp-7f));
    q = LEVEL(fma)(q, r, LEVEL(all)(0x1.5558f4p-5f));
    q = LEVEL(fma)(q, r, LEVEL(all)(0x1.55549p-3f));
    q = LEVEL(fma)(q, r, LEVEL(all)(0x1.fffffcp-2f));
    FLOATS p = LEVEL(add)(LEVEL(fma)(LEVEL(multiply)(r, r), q, r), LEVEL(all)(1));
    return LEVEL(from_least)(x, -87, LEVEL(scale_by)(p, t));
}

/* Makes the scores of tokens that are not visible, but share their group of 32 with one that is, those of nothing. Returns the largest. */
INLINE float LEVEL(maximum)(const struct span *a, float *z) {
    float lanes[LANES];
    for (int64_t j = low_of(a); j < a->from; j++) {
        z[j] = -INFINITY;
    }
    for (int64_t j = a->to; j < high_of(a); j++) {
        z[j] = -INFINITY;
    }
    FLOATS most = LEVEL(load)(z + low_of(a));
    for (int64_t j = low_of(a) + LANES; j < high_of(a); j += LANES) {
        most = LEVEL(larger)(most, LEVEL(load)(z + j));
    }
    LEVEL(store)(lanes, most);
    for (int n = LANES / 2; n > 0; n /= 2) {
        for (int i = 0; i < n; i++) {
            lanes[i] = lanes[i] > lanes[i + n] ? lanes[i] : lanes[i + n];
        }
    }
    return lanes[0];
}

/* Scores to weights in place. Returns their sum, NUMERICS rule 5. */
INLINE float LEVEL(weights)(const struct span *a, const float maximum, float *z) {
    float lanes[SUM_LANES];
    FLOATS sum[SUM_LANES / LANES];
    for (int v = 0; v < SUM_LANES / LANES; v++) {
        sum[v] = LEVEL(all)(0);
    }
    for (int64_t j = low_of(a); j < high_of(a); j += SUM_LANES) {
#pragma GCC unroll 8
        for (int v = 0; v < SUM_LANES / LANES; v++) {
            float *at = z + j + LANES * v;
            FLOATS p = LEVEL(exp)(LEVEL(subtract)(LEVEL(load)(at), LEVEL(all)(maximum)));
            LEVEL(store)(at, p);
            sum[v] = LEVEL(add)(sum[v], p);
        }
    }
    for (int v = 0; v < SUM_LANES / LANES; v++) {
        LEVEL(store)(lanes + LANES * v, sum[v]);
    }
    for (int n = SUM_LANES / 2; n > 0; n /= 2) {
        for (int i = 0; i < n; i++) {
            lanes[i] += lanes[i + n];
        }
    }
    return lanes[0];
}

/*
 * For n of a KV head's query heads, from first on. Scores of tokens j to end - 1, a multiple of 32 of them. Outputs so far, with tokens
 * j to end - 1 of one block.
 */
#define HEADS_TOGETHER(n) \
    TARGET static __attribute__((noinline)) void LEVEL(scores_##n)( \
            const struct span *a, int64_t head, int64_t first, int64_t j, int64_t end, const uint16_t *ahead) { \
        const int most = LANES == 8 && n > 2 ? 2 : 4; \
        for (; end - j >= LANES * most; j += LANES * most, ahead += LANES * most * a->head_dim) { \
            LEVEL(score_tile)(a, n, most, head, first, j, ahead); \
        } \
        if (LANES * most > SUM_LANES && j < end) { \
            LEVEL(score_tile)(a, n, SUM_LANES / LANES, head, first, j, ahead); \
        } \
    } \
    TARGET static __attribute__((noinline)) void LEVEL(values_##n)( \
            const struct span *a, int64_t head, int64_t first, int64_t j, int64_t end, const uint16_t *ahead) { \
        const int most = LANES * VALUE_VECTORS(n), least = LANES == 16 ? 16 : 2 * LANES; \
        const int64_t width = width_of(a); \
        int64_t e = 0; \
        for (; width - e >= most; e += most) { \
            LEVEL(value_tile)(a, n, VALUE_VECTORS(n), head, first, j, end, e, ahead + e * (end - j)); \
        } \
        if (most > least) { \
            for (; e < width; e += least) { \
                LEVEL(value_tile)(a, n, least / LANES, head, first, j, end, e, ahead + e * (end - j)); \
            } \
        } \
    }

HEADS_TOGETHER(1)
HEADS_TOGETHER(2)
HEADS_TOGETHER(3)
HEADS_TOGETHER(4)

#define CHOSEN(name, n, ...) \
    switch (n) { \
        case 1: \
            LEVEL(name##_1)(__VA_ARGS__); \
            break; \
        case 2: \
            LEVEL(name##_2)(__VA_ARGS__); \
            break; \
        case 3: \
            LEVEL(name##_3)(__VA_ARGS__); \
            break; \
        default: \
            LEVEL(name##_4)(__VA_ARGS__); \
            break; \
    }

/* All maxima before all exponentials, so that one head's do not wait for another's. */
TARGET static void LEVEL(softmax)(const struct span *a) {
    const int64_t states = a->kv_heads * a->per_group;
    for (int64_t i = 0; i < states; i++) {
        a->maxima[i] = LEVEL(maximum)(a, a->scores + SPAN * i);
    }
    for (int64_t i = 0; i < states; i++) {
        a->denominators[i] = LEVEL(weights)(a, a->maxima[i], a->scores + SPAN * i);
    }
}

static void LEVEL(attention)(const struct span *a) {
    for (int64_t j = low_of(a), end; j < high_of(a); j = end) {
        end = scores_end(a, j);
        for (int64_t head = 0; head < a->kv_heads; head++) {
            const uint16_t *ahead = ahead_of_keys(a, j, end, head);
            for (int64_t first = 0; first < a->per_group; first += HEADS) {
                CHOSEN(scores, a->per_group - first, a, head, first, j, end, ahead)
            }
        }
    }
    LEVEL(softmax)(a);
    for (int64_t j = a->from, end; j < a->to; j = end) {
        end = values_end(a, j);
        for (int64_t head = 0; head < a->kv_heads; head++) {
            const uint16_t *ahead = ahead_of_values(a, j, end, head);
            for (int64_t first = 0; first < a->per_group; first += HEADS) {
                CHOSEN(values, a->per_group - first, a, head, first, j, end, ahead)
            }
        }
    }
}

#undef FLOATS
#undef VALUE_VECTORS
#undef HEADS_TOGETHER
#undef CHOSEN
