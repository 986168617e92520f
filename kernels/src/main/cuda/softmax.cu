// y = exp(x - max) / sum(exp(x - max)) for every row of x [count, n], the sum by NUMERICS rule 5. A block a row.
#include "dev.h"

struct softmax_args {
  const float *x;
  float *y; /* may be x */
  const int *count;
  int n;
};

constexpr int THREADS = 256;
constexpr int PIECE = 2048;

KERNEL(softmax, THREADS) {
  SHARED(float, piece, PIECE);
  SHARED(float, of_warps, THREADS / LANES);
  SHARED(float, total, 1);
  long long row = blockIdx.x;
  if (row >= *a.count) {
    return;
  }
  const float *x = a.x + row * a.n;
  float *y = a.y + row * a.n;
  int thread = static_cast<int>(threadIdx.x);

  float most = -INFINITY;
  for (int i = thread; i < a.n; i += THREADS) {
    most = fmaxf(most, x[i]);
  }
  for (int bits = LANES / 2; bits >= 1; bits /= 2) {
    most = fmaxf(most, shuffle_xor(most, bits));
  }
  if (lane() == 0) {
    of_warps[warp()] = most;
  }
  sync_block();
  for (int w = 0; w < THREADS / LANES; w++) {
    most = fmaxf(most, of_warps[w]);
  }

  float sum = 0.0f;
  for (int from = 0; from < a.n; from += PIECE) {
    int length = min(PIECE, a.n - from);
    for (int i = thread; i < length; i += THREADS) {
      float p = exact_exp(sub_rn(x[from + i], most));
      piece[i] = p;
      y[from + i] = p;
    }
    sync_block();
    if (warp() == 0) {
      for (int i = lane(); i < length; i += LANES) {
        sum = add_rn(sum, piece[i]);
      }
    }
    sync_block();
  }
  if (warp() == 0) {
    sum = lane_sum(sum);
    if (lane() == 0) {
      total[0] = sum;
    }
  }
  sync_block();
  for (int i = thread; i < a.n; i += THREADS) {
    y[i] = div_rn(y[i], total[0]);
  }
}
