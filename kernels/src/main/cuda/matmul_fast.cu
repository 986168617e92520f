// The products of matmul_float.cu for bf16 and f16 with `numerics = fast`: tensor cores make them, in f32 sums whose order is the device's own.
// Weights are what they are; activations are two terms (split_activations.cu), and 16 columns are one product with the high and one with
// the low ones. Every output is one chain of such products, ascending, in both tiles alike.
//
// A block takes a tile of rows and tokens; weights and activations come to shared memory by stages of some lines, which are copied while
// earlier ones are in use. A lane's weights of a column lie side by side in the packed layout: with g = lane / 4, ints INTS g and the
// following, each of which is a row and the one 16 further on. Two columns of such ints are what tensor cores take of these two rows.
#include "fast_outputs.h"

/* Warps below each other and side by side in tokens; ints of a lane in a column, so that a warp has 16 rows for each; times 8 tokens of a
   warp; lines of a stage, stages; whether a warp leaves out what has no tokens. */
template <int row_warps, int token_warps, int ints, int eights, int lines, int stages, bool few> struct Tile {
  static constexpr int ROW_WARPS = row_warps, INTS = ints, EIGHTS = eights, LINES = lines, STAGES = stages;
  static constexpr bool FEW = few;
  static constexpr int WARPS = row_warps * token_warps;
  static constexpr int GROUPS_OF_WARP = ints / 2;
  static constexpr int GROUPS = row_warps * GROUPS_OF_WARP;
  static constexpr int TOKENS_OF_WARP = 8 * eights;
  static constexpr int TOKENS = token_warps * TOKENS_OF_WARP;
  static_assert(eights % 2 == 0, "activations are loaded for 16 tokens");
};
using Wide = Tile<2, 2, 4, 8, 1, 3, false>;
using Skinny = Tile<2, 2, 2, 4, 2, 4, true>;

constexpr int CHUNK = 16;       /* bytes that are copied together */
constexpr int COLUMN = 2 * LANES; /* bytes of a group */
constexpr int CHUNKS = LINE * COLUMN / CHUNK; /* of a group and line */
constexpr int TOKEN = sizeof(split_line);
constexpr int TOKEN_CHUNKS = TOKEN / CHUNK;

struct fast_product_args {
  const matmul_part *parts;
  const split_line *x;
  const float *scales; /* of tokens, by which products are multiplied */
  const float *bias;   /* or null */
  float *y;
  const int *count;
  int lines;  /* of a token */
  int tokens; /* from part to part of x, 0 where all have the same */
  int y_stride;
  int part_stride;
};

/* Where things lie in the shared memory of a stage, in bytes. */
template <class T> struct Stage {
  static constexpr int GROUP = LINE * COLUMN;
  static constexpr int ACTIVATIONS = T::LINES * T::GROUPS * GROUP;
  static constexpr int BYTES = ACTIVATIONS + T::LINES * T::TOKENS * TOKEN;

  /* A chunk of a group's line. Lanes read every other column; chunks of those that lie 128 bytes apart are turned around. */
  static METHOD int weights(int line, int group, int chunk) {
    return (line * T::GROUPS + group) * GROUP + (chunk ^ (chunk / 8 % 4 * 2)) * CHUNK;
  }
  /* A chunk of a token's line: those of eight tokens are in different banks. */
  static METHOD int activations(int line, int token, int chunk) {
    return ACTIVATIONS + (line * T::TOKENS + token) * TOKEN + (chunk ^ token % 8) * CHUNK;
  }
};

/* Starts to copy the lines from `from` on; weights behind the last column are zeros. Tokens behind the last one are left as they are: they
   touch no other's sums. */
template <class T> DEVICE void copy_stage(const fast_product_args &a, const matmul_part &part, int from, unsigned char *stage) {
  int lines = min(T::LINES, (part.columns + LINE - 1) / LINE - from);
  int groups = (part.rows + LANES - 1) / LANES;
  for (int i = static_cast<int>(threadIdx.x); i < lines * T::GROUPS * CHUNKS; i += T::WARPS * LANES) {
    int chunk = i % CHUNKS;
    int of = i / CHUNKS % T::GROUPS;
    int line = i / CHUNKS / T::GROUPS;
    int group = min(static_cast<int>(blockIdx.x) * T::GROUPS + of, groups - 1);
    int column = (from + line) * LINE + chunk * CHUNK / COLUMN;
    unsigned char *to = stage + Stage<T>::weights(line, of, chunk);
    if (column < part.columns) {
      long long at = (static_cast<long long>(group) * part.columns + (from + line) * LINE) * COLUMN + chunk * CHUNK;
      copy_async16(to, static_cast<const unsigned char *>(part.w) + at);
    } else {
      *reinterpret_cast<int4 *>(to) = {};
    }
  }
  int first = static_cast<int>(blockIdx.y) * T::TOKENS;
  int tokens = min(T::TOKENS, *a.count - first);
  const split_line *x = a.x + (static_cast<long long>(blockIdx.z) * a.tokens + first) * a.lines + from;
  for (int i = static_cast<int>(threadIdx.x); i < tokens * T::LINES * TOKEN_CHUNKS; i += T::WARPS * LANES) {
    int chunk = i % TOKEN_CHUNKS;
    int line = i / TOKEN_CHUNKS % T::LINES;
    int token = i / TOKEN_CHUNKS / T::LINES;
    if (line < lines) {
      const split_line *of = x + static_cast<long long>(token) * a.lines + line;
      copy_async16(stage + Stage<T>::activations(line, token, chunk), reinterpret_cast<const unsigned char *>(of) + chunk * CHUNK);
    }
  }
}

/* The ints of a lane in a column of 32. */
template <int ints> DEVICE void load_ints(const unsigned char *at, int (&to)[ints]) {
  if constexpr (ints == 4) {
    int4 w = *reinterpret_cast<const int4 *>(at);
    to[0] = w.x;
    to[1] = w.y;
    to[2] = w.z;
    to[3] = w.w;
  } else {
    int2 w = *reinterpret_cast<const int2 *>(at);
    to[0] = w.x;
    to[1] = w.y;
  }
}

/* A warp adds 16 columns to its sums, [16 rows][8 tokens][4]. */
template <class W, class T>
DEVICE void add_columns(
    const unsigned char *stage, int line, int half, int group, int token, int tokens, float (&sums)[T::INTS][T::EIGHTS][4]) {
  int own = lane() / 4 * T::INTS; /* first int of all groups of the warp */
  int rows[T::INTS][4];
UNROLL
  for (int k = 0; k < 2; k++) {
    int pair[2][T::INTS];
UNROLL
    for (int j = 0; j < 2; j++) {
      int column = 16 * half + 8 * k + 2 * (lane() % 4) + j;
      int chunk = column * (COLUMN / CHUNK) + own % 16 / 4;
      load_ints(stage + Stage<T>::weights(line, group + own / 16, chunk) + own % 4 * 4, pair[j]);
    }
UNROLL
    for (int m = 0; m < T::INTS; m++) {
      rows[m][2 * k] = permute(pair[0][m], pair[1][m], 0x5410);
      rows[m][2 * k + 1] = permute(pair[0][m], pair[1][m], 0x7632);
    }
  }
  int of = token + lane() / 16 * 8 + lane() % 8;
UNROLL
  for (int two = 0; two < T::EIGHTS; two += 2) {
    if (T::FEW && 8 * two >= tokens) {
      continue;
    }
UNROLL
    for (int term = 0; term < 2; term++) {
      int x[4];
      load_matrices(x, stage + Stage<T>::activations(line, of + 8 * two, 4 * term + 2 * half + lane() / 8 % 2));
UNROLL
      for (int n = 0; n < 2; n++) {
        int columns[2] = {x[2 * n], x[2 * n + 1]};
UNROLL
        for (int m = 0; m < T::INTS; m++) {
          W::multiply(sums[m][two + n], rows[m], columns);
        }
      }
    }
  }
}

template <class W, class T> DEVICE void matmul(const fast_product_args &a) {
  const matmul_part part = a.parts[blockIdx.z];
  int count = *a.count;
  int first = static_cast<int>(blockIdx.y) * T::TOKENS;
  if (first >= count || static_cast<int>(blockIdx.x) * T::GROUPS * LANES >= part.rows) {
    return;
  }
  int group = warp() % T::ROW_WARPS * T::GROUPS_OF_WARP;
  int token = warp() / T::ROW_WARPS * T::TOKENS_OF_WARP;
  int tokens = count - first - token;
  bool needed = tokens > 0 && (static_cast<int>(blockIdx.x) * T::GROUPS + group) * LANES < part.rows;
  float sums[T::INTS][T::EIGHTS][4] = {};

  unsigned char *shared = dynamic_shared();
  constexpr int AHEAD = T::STAGES - 1;
  int lines = (part.columns + LINE - 1) / LINE;
  for (int stage = -AHEAD; stage * T::LINES < lines; stage++) {
    if (stage >= 0) {
      wait_async<AHEAD - 1>();
      sync_block(); /* all copies of this stage are there, and nobody reads the one before it any more */
    }
    copy_stage<T>(a, part, (stage + AHEAD) * T::LINES, shared + (stage + AHEAD) % T::STAGES * Stage<T>::BYTES);
    commit_async();
    if (stage < 0 || !needed) {
      continue;
    }
    const unsigned char *in = shared + stage % T::STAGES * Stage<T>::BYTES;
    int last = min(T::LINES, lines - stage * T::LINES);
UNROLL_BY(1)
    for (int line = 0; line < last; line++) {
UNROLL
      for (int half = 0; half < 2; half++) {
        add_columns<W, T>(in, line, half, group, token, tokens, sums);
      }
    }
  }
  if (!needed) {
    return;
  }
  int own = lane() / 4 * T::INTS;
  int row = (static_cast<int>(blockIdx.x) * T::GROUPS + group + own / 16) * LANES + own % 16;
UNROLL
  for (int i = 0; i < T::EIGHTS * 2; i++) {
    int to = first + token + i / 2 * 8 + lane() % 4 * 2 + i % 2;
    if (to < count) {
      FastOutputs outputs(a, part, static_cast<int>(blockIdx.z), to);
UNROLL
      for (int j = 0; j < 2 * T::INTS; j++) {
        int r = row + j % T::INTS + j / T::INTS * 16;
        if (r < part.rows) {
          outputs.store(r, sums[j % T::INTS][i / 2][j / T::INTS * 2 + i % 2]);
        }
      }
    }
  }
}

struct TensorBf16 {
  static METHOD void multiply(float (&d)[4], const int (&a)[4], const int (&b)[2]) { multiply_bf16(d, a, b); }
};

struct TensorF16 {
  static METHOD void multiply(float (&d)[4], const int (&a)[4], const int (&b)[2]) { multiply_f16(d, a, b); }
};

#define PRODUCT(type, W) \
  using matmul_fast_wide_##type##_args = fast_product_args; \
  KERNEL(matmul_fast_wide_##type, Wide::WARPS * LANES) { matmul<W, Wide>(a); } \
  using matmul_fast_skinny_##type##_args = fast_product_args; \
  KERNEL(matmul_fast_skinny_##type, Skinny::WARPS * LANES) { matmul<W, Skinny>(a); }

PRODUCT(bf16, TensorBf16)
PRODUCT(f16, TensorF16)
