// Kernels with a fault each, which the emulator's own tests must see, beside sound ones.
#include "dev.h"

struct reverse_args {
  const float *x;
  float *y;
};

#define SAME_ARGUMENTS(name) struct name##_args : reverse_args {}

/* y[i] = x[127 - i], by way of shared memory. */
template <bool barrier> DEVICE void reverse(const reverse_args &a) {
  SHARED(float, values, 128);
  int i = static_cast<int>(threadIdx.x);
  values[i] = a.x[i];
  if (barrier) {
    sync_block();
  }
  a.y[i] = values[127 - i];
}

SAME_ARGUMENTS(sound_reverse);
KERNEL(sound_reverse, 128) { reverse<true>(a); }

SAME_ARGUMENTS(no_block_barrier);
KERNEL(no_block_barrier, 128) { reverse<false>(a); }

/* y[i] = x[i ^ 5], inside a warp. */
template <bool barrier> DEVICE void exchange(const reverse_args &a) {
  SHARED(float, values, LANES);
  values[lane()] = a.x[lane()];
  if (barrier) {
    sync_warp();
  }
  a.y[lane()] = values[lane() ^ 5];
}

SAME_ARGUMENTS(sound_exchange);
KERNEL(sound_exchange, 32) { exchange<true>(a); }

SAME_ARGUMENTS(no_warp_barrier);
KERNEL(no_warp_barrier, 32) { exchange<false>(a); }

/* y[i] = x[(i + 4) % 128], by copies that are waited for. */
template <bool wait> DEVICE void copy(const reverse_args &a) {
  SHARED(float4, values, 32);
  int i = static_cast<int>(threadIdx.x);
  if (i < 32) {
    copy_async16(&values[i], a.x + 4 * i);
    commit_async();
    if (wait) {
      wait_async<0>();
    }
  }
  sync_block();
  a.y[i] = reinterpret_cast<float *>(values)[(i + 4) % 128];
}

SAME_ARGUMENTS(sound_copy);
KERNEL(sound_copy, 128) { copy<true>(a); }

SAME_ARGUMENTS(copy_without_wait);
KERNEL(copy_without_wait, 128) { copy<false>(a); }

/* The second barrier is missing: a fast warp overwrites what a slow one has yet to read. */
SAME_ARGUMENTS(early_overwrite);
KERNEL(early_overwrite, 128) {
  SHARED(float, values, 128);
  int i = static_cast<int>(threadIdx.x);
  float sum = 0.0f;
  for (int round = 0; round < 2; round++) {
    values[i] = add_rn(a.x[i], static_cast<float>(round));
    sync_block();
    sum = add_rn(sum, values[127 - i]);
  }
  a.y[i] = sum;
}

/* Half of the lanes shuffle in another line. */
SAME_ARGUMENTS(lanes_apart);
KERNEL(lanes_apart, 32) {
  if (lane() < 16) {
    a.y[lane()] = shuffle_xor(a.x[lane()], 1);
  } else {
    a.y[lane()] = shuffle_xor(a.x[lane()], 2);
  }
}

/* A lane is gone when the others shuffle. */
SAME_ARGUMENTS(lane_gone);
KERNEL(lane_gone, 32) {
  if (lane() == 7) {
    return;
  }
  a.y[lane()] = shuffle_xor(a.x[lane()], 1);
}

/* The first warp does not come to the barrier of the others. */
SAME_ARGUMENTS(warp_gone);
KERNEL(warp_gone, 128) {
  if (warp() == 0) {
    return;
  }
  sync_block();
  a.y[threadIdx.x] = a.x[threadIdx.x];
}

/* One lane waits for the block, the others for their warp. */
SAME_ARGUMENTS(deadlock);
KERNEL(deadlock, 32) {
  if (lane() == 3) {
    sync_block();
  }
  sync_warp();
  a.y[lane()] = a.x[lane()];
}

/* Reads what nobody has written. */
SAME_ARGUMENTS(unwritten);
KERNEL(unwritten, 32) {
  SHARED(float, values, 64);
  values[lane()] = a.x[lane()];
  a.y[lane()] = values[lane() + LANES];
}
