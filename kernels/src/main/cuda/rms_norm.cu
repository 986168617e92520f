// y = x * (1 / sqrt(sum(x * x) / n + epsilon)) * w, left to right, the sum by NUMERICS rule 5, of n values of every row, or of each of
// several heads in a row. A block a head: its values come to shared memory by pieces, which all threads load and the first warp adds.
// Where something is added to x, that comes first, and x keeps it.
#include "dev.h"

struct rms_norm_args {
  float *x;
  const float *added; /* as x, or null */
  const float *w;
  float *y; /* may be x */
  const int *count;
  int n;
  int x_stride; /* floats from row to row */
  int y_stride;
  int first; /* column of the first head, in x and y; head h is n * h columns further */
  float epsilon;
};

constexpr int PIECE = 2048;

KERNEL(rms_norm, 256) {
  SHARED(float, piece, PIECE);
  SHARED(float, inverse, 1);
  long long row = blockIdx.y;
  if (row >= *a.count) {
    return;
  }
  long long column = a.first + static_cast<long long>(blockIdx.x) * a.n;
  float *x = a.x + row * a.x_stride + column;
  const float *added = a.added == nullptr ? nullptr : a.added + row * a.x_stride + column;
  float *y = a.y + row * a.y_stride + column;

  float sum = 0.0f;
  for (int from = 0; from < a.n; from += PIECE) {
    int length = min(PIECE, a.n - from);
    for (int i = threadIdx.x; i < length; i += 256) {
      if (added != nullptr) {
        x[from + i] = add_rn(x[from + i], added[from + i]);
      }
      piece[i] = x[from + i];
    }
    sync_block();
    if (warp() == 0) {
      for (int i = lane(); i < length; i += LANES) {
        sum = fma_rn(piece[i], piece[i], sum);
      }
    }
    sync_block();
  }
  if (warp() == 0) {
    sum = lane_sum(sum);
    if (lane() == 0) {
      inverse[0] = div_rn(1.0f, sqrt_rn(add_rn(div_rn(sum, static_cast<float>(a.n)), a.epsilon)));
    }
  }
  sync_block();
  for (int i = threadIdx.x; i < a.n; i += 256) {
    y[i] = mul_rn(mul_rn(x[i], inverse[0]), a.w[i]);
  }
}
