// failed[row] = 1 for every row of x [count, n] with a value that is not finite. A block a row.
#include "dev.h"

struct mark_non_finite_args {
  const float *x;
  int *failed;
  const int *count;
  int n;
};

KERNEL(mark_non_finite, 256) {
  long long row = blockIdx.x;
  if (row >= *a.count) {
    return;
  }
  const float *x = a.x + row * a.n;
  bool finite = true;
  for (int i = static_cast<int>(threadIdx.x); i < a.n; i += 256) {
    finite &= (bits_of(x[i]) & 0x7f800000) != 0x7f800000;
  }
  if (!finite) {
    a.failed[row] = 1;
  }
}
