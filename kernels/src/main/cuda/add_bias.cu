// a[row] += bias for every row of a [count, n]. A block a piece of a row.
#include "dev.h"

struct add_bias_args {
  float *a;
  const float *bias;
  const int *count;
  int n;
};

KERNEL(add_bias, 256) {
  long long row = blockIdx.y;
  int i = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (row < *a.count && i < a.n) {
    a.a[row * a.n + i] = add_rn(a.a[row * a.n + i], a.bias[i]);
  }
}
