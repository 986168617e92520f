// a += b, both [count, n].
#include "dev.h"

struct add_args {
  float *a;
  const float *b;
  const int *count;
  int n;
};

KERNEL(add, 256) {
  long long i = static_cast<long long>(blockIdx.x) * 256 + threadIdx.x;
  if (i < static_cast<long long>(*a.count) * a.n) {
    a.a[i] = add_rn(a.a[i], a.b[i]);
  }
}
