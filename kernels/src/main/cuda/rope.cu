// Rotates heads in place: (fma(x0, c, -(x1 * s)), fma(x1, c, x0 * s)) for the halves x0, x1 of a head, c and s from the row of the token's
// position. A thread a pair.
#include "dev.h"

struct rope_args {
  float *x;
  const float *cosines; /* [positions, head_dim / 2] */
  const float *sines;
  const int *positions;
  const int *count;
  int x_stride;
  int first; /* column of the first head */
  int heads;
  int half; /* of a head's elements */
};

KERNEL(rope, 256) {
  long long token = blockIdx.y;
  int pair = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (token >= *a.count || pair >= a.heads * a.half) {
    return;
  }
  int i = pair % a.half;
  long long entry = static_cast<long long>(a.positions[token]) * a.half + i;
  float c = a.cosines[entry];
  float s = a.sines[entry];
  float *x = a.x + token * a.x_stride + a.first + pair / a.half * 2 * a.half + i;
  float x0 = x[0];
  float x1 = x[a.half];
  x[0] = fma_rn(x0, c, -mul_rn(x1, s));
  x[a.half] = fma_rn(x1, c, mul_rn(x0, s));
}
