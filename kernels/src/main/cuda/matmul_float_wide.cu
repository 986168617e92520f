// The products of matmul_float.cu for many tokens, with its bits: every output is one chain of fused multiply-adds over its columns
// ascending, whoever else is computed beside it. A block takes 128 rows and 128 tokens; weights and activations come to shared memory by
// stages of some columns, which are copied while earlier ones are in use. A warp takes a group of 32 rows and 64 tokens, a lane 8 by 8 of
// them: rows 4 (lane / 8) to + 3 and those 16 further on, tokens lane % 8 + 8 j.
#include "floats.h"

constexpr int GROUPS = 4;
constexpr int WARPS = 2 * GROUPS;
constexpr int TOKENS = 128;
constexpr int COLUMNS = 16; /* of a stage */
constexpr int STAGES = 4;
constexpr int CHUNK = 16; /* bytes that are copied together */
constexpr int EACH = 8;   /* rows and tokens of a lane */

/* Floats from token to token, so that those of eight lanes, four columns each, are in different banks. */
constexpr int TOKEN_STRIDE = COLUMNS + 4;
constexpr int ACTIVATIONS = TOKENS * TOKEN_STRIDE * 4; /* bytes of a stage */

template <class W> struct Stage {
  static constexpr int COLUMN = 4 * LANES / W::ROWS; /* bytes of a group */
  static constexpr int GROUP = COLUMNS * COLUMN;
  static constexpr int BYTES = ACTIVATIONS + GROUPS * GROUP;
};

/* Starts to copy the columns from `from` on. Tokens behind the last one are left as they are: they touch no other's sums. */
template <class W> DEVICE void copy_stage(const float_product_args &a, const matmul_part &part, int from, unsigned char *stage) {
  int columns = min(COLUMNS, part.columns - from);
  int groups = (part.rows + LANES - 1) / LANES;
  int group = static_cast<int>(blockIdx.x) * GROUPS + warp() % GROUPS;
  long long first_column = static_cast<long long>(min(group, groups - 1)) * part.columns + from;
  const unsigned char *w = static_cast<const unsigned char *>(part.w) + first_column * Stage<W>::COLUMN;
  unsigned char *to = stage + ACTIVATIONS + warp() % GROUPS * Stage<W>::GROUP;
  for (int c = warp() / GROUPS * LANES + lane(); c < columns * Stage<W>::COLUMN / CHUNK; c += 2 * LANES) {
    copy_async16(to + c * CHUNK, w + c * CHUNK);
  }
  int first = static_cast<int>(blockIdx.y) * TOKENS;
  int tokens = min(TOKENS, *a.count - first);
  const float *x = a.x + static_cast<long long>(first) * a.x_stride + part.x_column + from;
  for (int i = static_cast<int>(threadIdx.x); i < tokens * COLUMNS; i += WARPS * LANES) {
    if (i % COLUMNS < columns) {
      long long token = i / COLUMNS;
      copy_async4(stage + 4 * (token * TOKEN_STRIDE + i % COLUMNS), x + token * a.x_stride + i % COLUMNS);
    }
  }
}

/* A column of the lane's rows. */
template <class W> DEVICE void weights(const unsigned char *column, float (&to)[EACH]) {
UNROLL
  for (int half = 0; half < 2; half++) {
    if (W::ROWS == 1 || half == 0) {
      int4 bits = *reinterpret_cast<const int4 *>(column + lane() / 8 * CHUNK + half * 4 * CHUNK);
      int words[4] = {bits.x, bits.y, bits.z, bits.w};
UNROLL
      for (int i = 0; i < 4; i++) {
        float values[W::ROWS];
        W::row(words[i], values);
        to[4 * half + i] = values[0];
        if (W::ROWS == 2) {
          to[4 + i] = values[W::ROWS - 1];
        }
      }
    }
  }
}

/* One column more for all sums of a lane; x are its tokens' activations. */
template <class W> DEVICE void add_column(const unsigned char *column, const float (&x)[EACH], float (&sums)[EACH][EACH]) {
  float w[EACH];
  weights<W>(column, w);
UNROLL
  for (int t = 0; t < EACH; t++) {
UNROLL
    for (int r = 0; r < EACH; r++) {
      sums[t][r] = fma_rn(w[r], x[t], sums[t][r]);
    }
  }
}

template <class W> DEVICE void matmul(const float_product_args &a) {
  const matmul_part part = a.parts[blockIdx.z];
  int count = *a.count;
  int first = static_cast<int>(blockIdx.y) * TOKENS;
  if (first >= count || static_cast<int>(blockIdx.x) * GROUPS * LANES >= part.rows) {
    return;
  }
  int row = (static_cast<int>(blockIdx.x) * GROUPS + warp() % GROUPS) * LANES;
  int token = warp() / GROUPS * (TOKENS / 2);
  bool needed = first + token < count && row < part.rows;
  float sums[EACH][EACH] = {};

  unsigned char *shared = dynamic_shared();
  constexpr int AHEAD = STAGES - 1;
  for (int stage = -AHEAD; stage * COLUMNS < part.columns; stage++) {
    if (stage >= 0) {
      wait_async<AHEAD - 1>();
      sync_block(); /* all copies of this stage are there, and nobody reads the one before it any more */
    }
    copy_stage<W>(a, part, (stage + AHEAD) * COLUMNS, shared + (stage + AHEAD) % STAGES * Stage<W>::BYTES);
    commit_async();
    if (stage < 0 || !needed) {
      continue;
    }
    const unsigned char *in = shared + stage % STAGES * Stage<W>::BYTES;
    const float *x = reinterpret_cast<const float *>(in) + (token + lane() % 8) * TOKEN_STRIDE;
    const unsigned char *w = in + ACTIVATIONS + warp() % GROUPS * Stage<W>::GROUP;
    int columns = min(COLUMNS, part.columns - stage * COLUMNS);
    int k = 0;
UNROLL_BY(1)
    for (; k + 4 <= columns; k += 4) {
      float four[4][EACH];
UNROLL
      for (int t = 0; t < EACH; t++) {
        float4 of = *reinterpret_cast<const float4 *>(x + 8 * t * TOKEN_STRIDE + k);
        four[0][t] = of.x;
        four[1][t] = of.y;
        four[2][t] = of.z;
        four[3][t] = of.w;
      }
UNROLL
      for (int i = 0; i < 4; i++) {
        add_column<W>(w + (k + i) * Stage<W>::COLUMN, four[i], sums);
      }
    }
UNROLL_BY(1)
    for (; k < columns; k++) {
      float one[EACH];
UNROLL
      for (int t = 0; t < EACH; t++) {
        one[t] = x[8 * t * TOKEN_STRIDE + k];
      }
      add_column<W>(w + k * Stage<W>::COLUMN, one, sums);
    }
  }
  if (!needed) {
    return;
  }
UNROLL
  for (int i = 0; i < EACH * EACH; i++) {
    int to = first + token + lane() % 8 + i / EACH * 8;
    int r = row + lane() / 8 * 4 + i % 4 + i % EACH / 4 * 16;
    if (to < count && r < part.rows) {
      int column = part.y_column + r;
      float sum = sums[i / EACH][i % EACH];
      a.y[(static_cast<long long>(blockIdx.z) * a.part_stride + to) * a.y_stride + column] =
          a.bias == nullptr ? sum : add_rn(sum, a.bias[column]);
    }
  }
}

using matmul_wide_f32_args = float_product_args;
using matmul_wide_bf16_args = float_product_args;
using matmul_wide_f16_args = float_product_args;

KERNEL(matmul_wide_f32, WARPS * LANES) { matmul<F32>(a); }
KERNEL(matmul_wide_bf16, WARPS * LANES) { matmul<Bf16>(a); }
KERNEL(matmul_wide_f16, WARPS * LANES) { matmul<F16>(a); }
