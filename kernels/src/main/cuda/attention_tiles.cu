// Causal attention over the paged cache, NUMERICS rule 6, for many tokens: a block takes neighbouring tokens of one sequence and query
// heads that share a kv head, 16 rows together, and goes through their spans ascending, so that every key and value is loaded once for all
// rows. Where a tile of tokens holds several sequences, it takes one after the other. The cache's layout is that of attention.cu.
#include "attention.h"

struct attend_tiles_args {
  const void *keys;
  const void *values;
  const float *qkv;
  const int *positions;
  const int *first;  /* of a token's block table, in tables */
  const int *tables;
  const int *count;
  float *y;
  int stride;        /* columns of qkv */
  int kv_heads;
  int per_group;     /* query heads that share a kv head */
  int head_dim;
  int padded;        /* head_dim as values have it */
  int block_size;
  int lookback;      /* positions before its own that a token sees */
  int y_stride;
  float scale;
};

using attend_tiles_f32_args = attend_tiles_args;
using attend_tiles_f16_args = attend_tiles_args;

constexpr int ROWS = 16;
constexpr int ELEMENTS = MOST_HEAD_DIM / SPAN; /* of a head, for each thread */

/* A number for each row. */
struct alignas(16) TileRows { float of[ROWS]; };

/* What a block shares. Blocks of one span are loaded while those of the last one are in use. */
struct AttendedTile {
  TileRows query[MOST_HEAD_DIM];
  TileRows p[SPAN]; /* scores, then their exponentials */
  float maximum[ROWS], denominator[ROWS];
  float was[ROWS], is[ROWS]; /* factors of the sums before and of a span */
  int positions[ROWS];
  int blocks[2][SPAN / LEAST_BLOCK];
};

/* Tokens of one sequence with neighbouring positions, and their heads: row r is token r / heads, head r % heads. */
struct TileOfRows {
  int token, tokens;
  int position;      /* of the first token */
  int heads;         /* places for heads */
  int head, count;   /* first head, and how many there are */
  int kv_head;
  METHOD bool has(int row) const { return row / heads < tokens && row % heads < count; }
};

/* Whether a row at this distance behind a position sees it. */
DEVICE bool sees(int distance, int lookback) { return distance >= 0 && distance <= lookback; }

/* Maximum, exponentials and denominator of a span's visible positions [from, to] for a row, merged into what was seen before. */
DEVICE void weigh(AttendedTile &shared, int row, int from, int to, bool seen) {
  SpanSums sums = weigh_span(shared.p, row, from, to);
  float m = sums.maximum;
  float l = sums.denominator;
  if (lane() != 0) {
    return;
  }
  if (seen) {
    float most = fmaxf(shared.maximum[row], m);
    float was = exact_exp(sub_rn(shared.maximum[row], most));
    float is = exact_exp(sub_rn(m, most));
    l = fma_rn(shared.denominator[row], was, mul_rn(l, is));
    m = most;
    shared.was[row] = was;
    shared.is[row] = is;
  }
  shared.maximum[row] = m;
  shared.denominator[row] = l;
}

template <class T> DEVICE void attend_tile(const attend_tiles_args &a, const TileOfRows &tile, AttendedTile &shared) {
  int thread = static_cast<int>(threadIdx.x);
  int last = tile.position + tile.tokens - 1;
  int earliest = max(0, tile.position - a.lookback);
  for (int i = thread; i < ROWS * a.head_dim; i += SPAN) {
    int row = i / a.head_dim;
    long long token = tile.token + row / tile.heads;
    long long column = static_cast<long long>(tile.head + row % tile.heads) * a.head_dim + i % a.head_dim;
    shared.query[i % a.head_dim].of[row] = tile.has(row) ? a.qkv[token * a.stride + column] : 0.0f;
  }

  if (thread < ROWS) {
    shared.positions[thread] = tile.position + thread / tile.heads;
  }

  TileRows o[ELEMENTS] = {};
  for (int start = earliest / SPAN * SPAN; start <= last; start += SPAN) {
    int from = max(earliest - start, 0);
    int to = min(last - start, SPAN - 1);
    int *blocks = shared.blocks[start / SPAN % 2];
    if (thread >= from / a.block_size && thread <= to / a.block_size) {
      blocks[thread] = a.tables[a.first[tile.token] + start / a.block_size + thread];
    }
    sync_block();

    if (thread >= from && thread <= to) {
      long long head = static_cast<long long>(blocks[thread / a.block_size]) * a.kv_heads + tile.kv_head;
      const T *key = static_cast<const T *>(a.keys) + head * a.head_dim * a.block_size + thread % a.block_size;
      TileRows z = {};
UNROLL_BY(2)
      for (int e = 0; e < a.head_dim; e++) {
        float k = widen(key[e * a.block_size]);
        TileRows q = shared.query[e];
UNROLL
        for (int r = 0; r < ROWS; r++) {
          z.of[r] = fma_rn(q.of[r], k, z.of[r]);
        }
      }
UNROLL
      for (int r = 0; r < ROWS; r++) {
        z.of[r] = mul_rn(z.of[r], a.scale);
      }
      shared.p[thread] = z;
    }
    sync_block();

    for (int r = warp(); r < ROWS; r += SPAN / LANES) {
      int position = shared.positions[r];
      int first = max(0, position - a.lookback);
      if (tile.has(r) && first < start + SPAN && position >= start) {
        weigh(shared, r, max(first - start, 0), min(position - start, SPAN - 1), first < start);
      }
    }
    sync_block();

    /* All rows see the positions from everywhere_from to everywhere_to; few others are seen by some. */
    int everywhere_from = max(from, max(0, last - a.lookback) - start);
    int everywhere_to = min(to, tile.position - start);
UNROLL
    for (int j = 0; j < ELEMENTS; j++) {
      int e = thread + j * SPAN;
      if (e >= a.head_dim) {
        break;
      }
      TileRows sums = {};
      for (int block = from / a.block_size; block <= to / a.block_size; block++) {
        long long head = static_cast<long long>(blocks[block]) * a.kv_heads + tile.kv_head;
        const T *value = static_cast<const T *>(a.values) + head * a.block_size * a.padded + e;
        int base = block * a.block_size;
        int i = max(from, base);
        int end = min(to, base + a.block_size - 1);
        while (i <= end) {
          bool everywhere = i >= everywhere_from && i <= everywhere_to;
          int until = everywhere ? min(end, everywhere_to) : i;
UNROLL_BY(2)
          for (; i <= until; i++) {
            float v = widen(value[(i - base) * a.padded]);
            TileRows p = shared.p[i];
UNROLL
            for (int r = 0; r < ROWS; r++) {
              if (everywhere || sees(shared.positions[r] - start - i, a.lookback)) {
                sums.of[r] = fma_rn(p.of[r], v, sums.of[r]);
              }
            }
          }
        }
      }
UNROLL
      for (int r = 0; r < ROWS; r++) {
        int position = shared.positions[r];
        int first = max(0, position - a.lookback);
        if (first >= start && first < start + SPAN) {
          o[j].of[r] = sums.of[r];
        } else if (first < start && position >= start) {
          o[j].of[r] = fma_rn(o[j].of[r], shared.was[r], mul_rn(sums.of[r], shared.is[r]));
        }
      }
    }
  }
UNROLL
  for (int j = 0; j < ELEMENTS; j++) {
    int e = thread + j * SPAN;
UNROLL
    for (int r = 0; r < ROWS; r++) {
      if (e < a.head_dim && tile.has(r)) {
        long long token = tile.token + r / tile.heads;
        long long column = static_cast<long long>(tile.head + r % tile.heads) * a.head_dim + e;
        a.y[token * a.y_stride + column] = div_rn(o[j].of[r], shared.denominator[r]);
      }
    }
  }
  sync_block();
}

template <class T> DEVICE void attend_tiles(const attend_tiles_args &a, AttendedTile &shared) {
  TileOfRows tile = {};
  tile.heads = min(a.per_group, ROWS);
  int tiles = (a.per_group + tile.heads - 1) / tile.heads;
  int first_of_group = static_cast<int>(blockIdx.y) % tiles * tile.heads;
  tile.kv_head = static_cast<int>(blockIdx.y) / tiles;
  tile.head = tile.kv_head * a.per_group + first_of_group;
  tile.count = min(tile.heads, a.per_group - first_of_group);
  int tokens = ROWS / tile.heads;
  int end = min((static_cast<int>(blockIdx.x) + 1) * tokens, *a.count);
  for (int token = static_cast<int>(blockIdx.x) * tokens; token < end; token += tile.tokens) {
    tile.token = token;
    tile.position = a.positions[token];
    tile.tokens = 1;
    while (token + tile.tokens < end && a.first[token + tile.tokens] == a.first[token]) {
      tile.tokens++;
    }
    attend_tile<T>(a, tile, shared);
  }
}

KERNEL(attend_tiles_f32, SPAN) {
  SHARED(AttendedTile, shared, 1);
  attend_tiles<float>(a, shared[0]);
}

KERNEL(attend_tiles_f16, SPAN) {
  SHARED(AttendedTile, shared, 1);
  attend_tiles<unsigned short>(a, shared[0]);
}
