// y[i] = x[rows[i]], both [.., n], for i below count. A block a piece of a row.
#include "dev.h"

struct gather_rows_args {
  const float *x;
  float *y;
  const int *rows;
  const int *count;
  int n;
};

KERNEL(gather_rows, 256) {
  long long row = blockIdx.y;
  int i = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (row < *a.count && i < a.n) {
    a.y[row * a.n + i] = a.x[static_cast<long long>(a.rows[row]) * a.n + i];
  }
}
