// y = g / (1 + exp(-g)) * u; gate_up [count, 2 n] holds g, then u; y [count, n]. A block a piece of a row.
#include "dev.h"

struct swiglu_args {
  const float *gate_up;
  float *y;
  const int *count;
  int n;
};

KERNEL(swiglu, 256) {
  long long row = blockIdx.y;
  int i = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (row >= *a.count || i >= a.n) {
    return;
  }
  const float *gate = a.gate_up + row * 2 * a.n;
  float g = gate[i];
  a.y[row * a.n + i] = mul_rn(div_rn(g, add_rn(1.0f, exact_exp(-g))), gate[a.n + i]);
}
