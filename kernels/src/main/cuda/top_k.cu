// The columns of the largest values of rows, descending, the lower column first on a tie. A block a row. Every thread keeps the best of its
// own columns, block-wide rounds take the best of these, and the thread whose column was taken looks for its next one.
#include "dev.h"

struct top_k_args {
  const float *x;
  int *columns; /* [count][k] */
  const int *count;
  int n;
  int first_row;
  int k; /* at most n */
};

constexpr int THREADS = 512;
constexpr int WARPS = THREADS / LANES;

struct RankedColumn {
  float value;
  int column; /* n if there is none */
};

DEVICE bool before(const RankedColumn &a, const RankedColumn &b) {
  return a.value > b.value || (a.value == b.value && a.column < b.column);
}

/* The best of a thread's columns behind one that was taken. */
DEVICE RankedColumn next_of_thread(const float *x, int n, const RankedColumn &taken) {
  RankedColumn best = {-INFINITY, n};
  for (int i = static_cast<int>(threadIdx.x); i < n; i += THREADS) {
    RankedColumn here = {x[i], i};
    if (before(taken, here) && before(here, best)) {
      best = here;
    }
  }
  return best;
}

DEVICE RankedColumn best_of_warp(RankedColumn best) {
  for (int bits = LANES / 2; bits >= 1; bits /= 2) {
    RankedColumn other = {shuffle_xor(best.value, bits), shuffle_xor(best.column, bits)};
    best = before(other, best) ? other : best;
  }
  return best;
}

KERNEL(top_k, THREADS) {
  SHARED(RankedColumn, of_warps, WARPS);
  long long row = blockIdx.x;
  if (row >= *a.count) {
    return;
  }
  const float *x = a.x + (a.first_row + row) * a.n;
  RankedColumn mine = next_of_thread(x, a.n, {INFINITY, -1});
  for (int j = 0; j < a.k; j++) {
    RankedColumn best = best_of_warp(mine);
    if (lane() == 0) {
      of_warps[warp()] = best;
    }
    sync_block();
    best = of_warps[0];
    for (int w = 1; w < WARPS; w++) {
      best = before(of_warps[w], best) ? of_warps[w] : best;
    }
    if (threadIdx.x == 0) {
      a.columns[row * a.k + j] = min(best.column, a.n - 1); /* none is left only if some are not numbers */
    }
    if (mine.column == best.column) {
      mine = next_of_thread(x, a.n, best);
    }
    sync_block();
  }
}
