// Causal attention over the paged cache, NUMERICS rule 6, in two kernels. attend_spans: a block takes one span of 128 positions for one
// token and some query heads that share a kv head, and leaves the span's maximum, denominator and sums of values. merge_spans: a block
// takes a token's head, merges its spans ascending and divides. Keys are [block][kv head][element][slot], values
// [block][kv head][slot][padded element]; only visible positions are read.
#include "attention.h"

struct attend_spans_args {
  const void *keys;
  const void *values;
  const float *qkv;
  const int *positions;
  const int *first;  /* of a token's block table, in tables */
  const int *tables;
  const int *count;
  float *spans;      /* [token - first_token][head][span - the first visible one][maximum, denominator, head_dim sums] */
  int stride;        /* columns of qkv */
  int kv_heads;
  int per_group;     /* query heads that share a kv head */
  int head_dim;
  int padded;        /* head_dim as values have it */
  int block_size;
  int lookback;      /* positions before its own that a token sees */
  int first_token;
  int most_spans;
  float scale;
};

struct merge_spans_args {
  const float *spans;
  float *y;
  const int *positions;
  const int *count;
  int y_stride;
  int heads;
  int head_dim;
  int lookback;
  int first_token;
  int most_spans;
};

/* A number for each of several query heads. */
template <int heads> struct alignas(heads > 4 ? 16 : 4 * heads) PerHead { float of[heads]; };

/* Numbers of one span that a block shares. */
template <int heads> struct AttendedSpan {
  PerHead<heads> query[MOST_HEAD_DIM];
  PerHead<heads> p[SPAN]; /* scores, then their exponentials */
  int blocks[SPAN / LEAST_BLOCK];
};

template <class T, int heads> DEVICE void attend_span(const attend_spans_args &a, AttendedSpan<heads> &shared) {
  int token = a.first_token + static_cast<int>(blockIdx.z);
  if (token >= *a.count) {
    return;
  }
  int thread = static_cast<int>(threadIdx.x);
  int last = a.positions[token];
  int earliest = max(0, last - a.lookback);
  int start = (earliest / SPAN + static_cast<int>(blockIdx.x)) * SPAN;
  if (start > last) {
    return;
  }
  int from = max(earliest - start, 0);
  int to = min(last - start, SPAN - 1);
  int tiles = (a.per_group + heads - 1) / heads;
  int kv_head = static_cast<int>(blockIdx.y) / tiles;
  int first_of_group = static_cast<int>(blockIdx.y) % tiles * heads;
  int count = min(heads, a.per_group - first_of_group);
  int first_head = kv_head * a.per_group + first_of_group;

  const int *table = a.tables + a.first[token] + start / a.block_size;
  if (thread >= from / a.block_size && thread <= to / a.block_size) {
    shared.blocks[thread] = table[thread];
  }
  const float *query = a.qkv + static_cast<long long>(token) * a.stride + static_cast<long long>(first_head) * a.head_dim;
  for (int i = thread; i < heads * a.head_dim; i += SPAN) {
    int h = i / a.head_dim;
    shared.query[i % a.head_dim].of[h] = h < count ? query[i] : 0.0f;
  }
  sync_block();

  if (thread >= from && thread <= to) {
    long long head = static_cast<long long>(shared.blocks[thread / a.block_size]) * a.kv_heads + kv_head;
    const T *key = static_cast<const T *>(a.keys) + head * a.head_dim * a.block_size + thread % a.block_size;
    PerHead<heads> z = {};
UNROLL_BY(8)
    for (int e = 0; e < a.head_dim; e++) {
      float k = widen(key[e * a.block_size]);
      PerHead<heads> q = shared.query[e];
UNROLL
      for (int h = 0; h < heads; h++) {
        z.of[h] = fma_rn(q.of[h], k, z.of[h]);
      }
    }
UNROLL
    for (int h = 0; h < heads; h++) {
      z.of[h] = mul_rn(z.of[h], a.scale);
    }
    shared.p[thread] = z;
  }
  sync_block();

  long long results = static_cast<long long>(blockIdx.z) * a.kv_heads * a.per_group + first_head;
  float *result = a.spans + (results * a.most_spans + blockIdx.x) * (a.head_dim + 2);
  long long next_head = static_cast<long long>(a.most_spans) * (a.head_dim + 2);
  for (int h = warp(); h < count; h += SPAN / LANES) {
    SpanSums sums = weigh_span(shared.p, h, from, to);
    if (lane() == 0) {
      result[h * next_head] = sums.maximum;
      result[h * next_head + 1] = sums.denominator;
    }
  }
  sync_block();

  for (int e = thread; e < a.head_dim; e += SPAN) {
    PerHead<heads> o = {};
    for (int block = from / a.block_size; block <= to / a.block_size; block++) {
      long long head = static_cast<long long>(shared.blocks[block]) * a.kv_heads + kv_head;
      const T *value = static_cast<const T *>(a.values) + head * a.block_size * a.padded + e;
      int end = min(to, block * a.block_size + a.block_size - 1);
UNROLL_BY(4)
      for (int i = max(from, block * a.block_size); i <= end; i++) {
        float v = widen(value[(i - block * a.block_size) * a.padded]);
        PerHead<heads> p = shared.p[i];
UNROLL
        for (int h = 0; h < heads; h++) {
          o.of[h] = fma_rn(p.of[h], v, o.of[h]);
        }
      }
    }
UNROLL
    for (int h = 0; h < heads; h++) {
      if (h < count) {
        result[h * next_head + 2 + e] = o.of[h];
      }
    }
  }
}

#define ATTEND_SPANS(name, type, heads)                                                                                          \
  using name##_args = attend_spans_args;                                                                                         \
  KERNEL(name, SPAN) {                                                                                                           \
    SHARED(AttendedSpan<heads>, shared, 1);                                                                                      \
    attend_span<type, heads>(a, shared[0]);                                                                                      \
  }

ATTEND_SPANS(attend_spans_f32_1, float, 1)
ATTEND_SPANS(attend_spans_f32_4, float, 4)
ATTEND_SPANS(attend_spans_f32_8, float, 8)
ATTEND_SPANS(attend_spans_f16_1, unsigned short, 1)
ATTEND_SPANS(attend_spans_f16_4, unsigned short, 4)
ATTEND_SPANS(attend_spans_f16_8, unsigned short, 8)

KERNEL(merge_spans, SPAN) {
  int token = a.first_token + static_cast<int>(blockIdx.y);
  if (token >= *a.count) {
    return;
  }
  int last = a.positions[token];
  int count = last / SPAN - max(0, last - a.lookback) / SPAN + 1;
  long long head = blockIdx.x;
  int size = a.head_dim + 2;
  const float *spans = a.spans + (static_cast<long long>(blockIdx.y) * a.heads + head) * a.most_spans * size;
  for (int e = static_cast<int>(threadIdx.x); e < a.head_dim; e += SPAN) {
    float m = spans[0];
    float l = spans[1];
    float o = spans[2 + e];
    for (int s = 1; s < count; s++) {
      const float *next = spans + static_cast<long long>(s) * size;
      float most = fmaxf(m, next[0]);
      float was = exact_exp(sub_rn(m, most));
      float is = exact_exp(sub_rn(next[0], most));
      l = fma_rn(l, was, mul_rn(next[1], is));
      o = fma_rn(o, was, mul_rn(next[2 + e], is));
      m = most;
    }
    a.y[static_cast<long long>(token) * a.y_stride + head * a.head_dim + e] = div_rn(o, l);
  }
}
