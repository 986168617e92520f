// y[t, r] = chain over k of w[r, k] * x[t, k] (+ bias[r]), NUMERICS rule 2, for matrices of f32, bf16 and f16. Thirty-two rows are
// interleaved (PackedMatrix): a lane of a warp is a row, or two rows that share an int, so one pass over the weights reads whole lines. A
// block takes some groups of rows and some tokens; its activations come to shared memory by pieces, which all lanes read alike. The z of
// the grid is a part of the matrix: one of several types below each other, or a chunk of columns with sums of its own.
#include "floats.h"

constexpr int WARPS = 4;
constexpr int TOKENS = 4; /* that a block takes together */
constexpr int PIECE = 256;

/* Where 16 lanes hold 32 rows, a warp has two groups. */
template <class W> DEVICE void matmul(const float_product_args &a, float (&piece)[TOKENS][PIECE]) {
  const matmul_part part = a.parts[blockIdx.z];
  const int ints = LANES / W::ROWS; /* of a group and column */
  int count = *a.count;
  int first = static_cast<int>(blockIdx.y) * TOKENS;
  if (first >= count) {
    return;
  }
  int group = (static_cast<int>(blockIdx.x) * WARPS + warp()) * W::ROWS + lane() / ints;
  int groups = (part.rows + LANES - 1) / LANES;
  if (static_cast<int>(blockIdx.x) * WARPS * W::ROWS >= groups) {
    return;
  }
  const int *w = static_cast<const int *>(part.w) + static_cast<long long>(min(group, groups - 1)) * part.columns * ints + lane() % ints;
  float sums[TOKENS][W::ROWS] = {};
  for (int from = 0; from < part.columns; from += PIECE) {
    int length = min(PIECE, part.columns - from);
    for (int t = 0; t < TOKENS; t++) {
      const float *x = a.x + static_cast<long long>(min(first + t, count - 1)) * a.x_stride + part.x_column + from;
      for (int k = threadIdx.x; k < length; k += WARPS * LANES) {
        piece[t][k] = x[k];
      }
    }
    sync_block();
UNROLL_BY(8)
    for (int k = 0; k < length; k++) {
      float values[W::ROWS];
      W::row(w[static_cast<long long>(from + k) * ints], values);
UNROLL
      for (int t = 0; t < TOKENS; t++) {
UNROLL
        for (int r = 0; r < W::ROWS; r++) {
          sums[t][r] = fma_rn(values[r], piece[t][k], sums[t][r]);
        }
      }
    }
    sync_block();
  }
UNROLL
  for (int t = 0; t < TOKENS; t++) {
UNROLL
    for (int r = 0; r < W::ROWS; r++) {
      int row = group * LANES + lane() % ints + 16 * r;
      if (first + t < count && row < part.rows) {
        int column = part.y_column + row;
        float sum = a.bias == nullptr ? sums[t][r] : add_rn(sums[t][r], a.bias[column]);
        a.y[(static_cast<long long>(blockIdx.z) * a.part_stride + first + t) * a.y_stride + column] = sum;
      }
    }
  }
}

using matmul_f32_args = float_product_args;
using matmul_bf16_args = float_product_args;
using matmul_f16_args = float_product_args;

KERNEL(matmul_f32, WARPS * LANES) {
  SHARED2(float, piece, TOKENS, PIECE);
  matmul<F32>(a, piece);
}

KERNEL(matmul_bf16, WARPS * LANES) {
  SHARED2(float, piece, TOKENS, PIECE);
  matmul<Bf16>(a, piece);
}

KERNEL(matmul_f16, WARPS * LANES) {
  SHARED2(float, piece, TOKENS, PIECE);
  matmul<F16>(a, piece);
}
