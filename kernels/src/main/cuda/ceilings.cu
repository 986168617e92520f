// What a device can do at most, to stand beside what its kernels do: reads of memory, fused multiply-adds of f32, dot products of
// eight-bit integers. Results are written only so that no work can be left out, and so that tests see that all of it was done.
#include "dev.h"

struct read_memory_args {
  const int4 *words;
  int *result; /* [blocks * WARPS]: the exclusive or of all that a warp has read */
  int count;   /* of words of 16 bytes */
};

constexpr int WARPS = 8;

KERNEL(read_memory, WARPS * LANES) {
  long long stride = static_cast<long long>(gridDim.x) * WARPS * LANES;
  int all = 0;
UNROLL_BY(8)
  for (long long i = static_cast<long long>(blockIdx.x) * WARPS * LANES + threadIdx.x; i < a.count; i += stride) {
    int4 word = a.words[i];
    all ^= word.x ^ word.y ^ word.z ^ word.w;
  }
  for (int half = LANES / 2; half >= 1; half /= 2) {
    all ^= shuffle_xor(all, half);
  }
  if (lane() == 0) {
    a.result[blockIdx.x * WARPS + warp()] = all;
  }
}

/* Chains that do not wait for each other, and steps of each in a round. */
constexpr int CHAINS = 8;
constexpr int STEPS = 16;

struct multiply_add_args {
  float *result; /* [blocks * threads] */
  int rounds;
  float factor;
  float addend;
};

KERNEL(multiply_add, WARPS * LANES) {
  float factor = a.factor;
  float addend = a.addend;
  float chains[CHAINS];
UNROLL
  for (int i = 0; i < CHAINS; i++) {
    chains[i] = static_cast<float>(i);
  }
  for (int round = 0; round < a.rounds; round++) {
UNROLL
    for (int step = 0; step < STEPS; step++) {
UNROLL
      for (int i = 0; i < CHAINS; i++) {
        chains[i] = fma_rn(chains[i], factor, addend);
      }
    }
  }
  float sum = 0.0f;
UNROLL
  for (int i = 0; i < CHAINS; i++) {
    sum = add_rn(sum, chains[i]);
  }
  a.result[blockIdx.x * WARPS * LANES + threadIdx.x] = sum;
}

struct dot_bytes_args {
  int *result; /* [blocks * threads] */
  int rounds;
  int factor; /* four signed bytes */
  int addend;
};

/* Every step takes the last one's bytes, so that none can be computed ahead. */
KERNEL(dot_bytes, WARPS * LANES) {
  int factor = a.factor;
  int addend = a.addend;
  int chains[CHAINS];
UNROLL
  for (int i = 0; i < CHAINS; i++) {
    chains[i] = i;
  }
  for (int round = 0; round < a.rounds; round++) {
UNROLL
    for (int step = 0; step < STEPS; step++) {
UNROLL
      for (int i = 0; i < CHAINS; i++) {
        chains[i] = dot4(chains[i], factor, addend);
      }
    }
  }
  int all = 0;
UNROLL
  for (int i = 0; i < CHAINS; i++) {
    all ^= chains[i];
  }
  a.result[blockIdx.x * WARPS * LANES + threadIdx.x] = all;
}
