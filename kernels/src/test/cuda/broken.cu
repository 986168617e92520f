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

/* y[4 lane + i] = x[32 ((i + 1) % 4) + lane]: row lane / 4 of a matrix, there the word lane % 4. */
template <bool barrier> DEVICE void matrices(const reverse_args &a, int stride) {
  SHARED(float4, rows, 2 * LANES);
  float4 row = {a.x[4 * lane()], a.x[4 * lane() + 1], a.x[4 * lane() + 2], a.x[4 * lane() + 3]};
  rows[stride * lane()] = row;
  if (barrier) {
    sync_warp();
  }
  int words[4];
  load_matrices(words, &rows[stride * ((lane() + 8) % LANES)]);
  for (int i = 0; i < 4; i++) {
    a.y[4 * lane() + i] = float_of(words[i]);
  }
}

SAME_ARGUMENTS(sound_matrices);
KERNEL(sound_matrices, 32) { matrices<true>(a, 1); }

/* Every second row of eight is in the banks of another. */
SAME_ARGUMENTS(conflicting_matrices);
KERNEL(conflicting_matrices, 32) { matrices<true>(a, 2); }

SAME_ARGUMENTS(matrices_without_barrier);
KERNEL(matrices_without_barrier, 32) { matrices<false>(a, 1); }

SAME_ARGUMENTS(matrices_out_of_line);
KERNEL(matrices_out_of_line, 32) {
  SHARED(float, words, 8 * LANES);
  int loaded[4];
  load_matrices(loaded, &words[4 * lane() + (lane() == 5)]);
  a.y[lane()] = float_of(loaded[0]);
}

SAME_ARGUMENTS(matrices_of_global_memory);
KERNEL(matrices_of_global_memory, 32) {
  int loaded[4];
  load_matrices(loaded, a.x);
  a.y[lane()] = float_of(loaded[0]);
}

/* Four bytes from column k on of a row, each (7 row + 3 column) % 256 - 128. */
DEVICE int bytes_of(int row, int k) {
  int bytes = 0;
  for (int i = 0; i < 4; i++) {
    bytes |= ((7 * row + 3 * (k + i)) % 256 ^ 128) << (8 * i);
  }
  return bytes;
}

/* y[8 row + column] = 5 + the product of a's row and b's column, whose bytes are those of the row of this number. */
DEVICE void write_products(const reverse_args &a, const int (&d)[4]) {
  for (int i = 0; i < 4; i++) {
    a.y[8 * (lane() / 4 + i / 2 * 8) + lane() % 4 * 2 + i % 2] = static_cast<float>(d[i]);
  }
}

SAME_ARGUMENTS(products_of_32);
KERNEL(products_of_32, 32) {
  int g = lane() / 4;
  int k = lane() % 4 * 4;
  int rows[4] = {bytes_of(g, k), bytes_of(g + 8, k), bytes_of(g, k + 16), bytes_of(g + 8, k + 16)};
  int columns[2] = {bytes_of(g, k), bytes_of(g, k + 16)};
  int d[4];
  multiply_matrices(d, rows, columns, 5);
  write_products(a, d);
}

SAME_ARGUMENTS(products_of_16);
KERNEL(products_of_16, 32) {
  int g = lane() / 4;
  int k = lane() % 4 * 4;
  int rows[2] = {bytes_of(g, k), bytes_of(g + 8, k)};
  int d[4];
  multiply_matrices(d, rows, bytes_of(g, k), 5);
  write_products(a, d);
}

/* Two small integers as bf16 or f16, for columns k and k + 1 of the row of this number. */
template <class Narrow> DEVICE int halves_of(int n, int k, Narrow narrow) {
  int both[2];
  for (int i = 0; i < 2; i++) {
    both[i] = narrow(static_cast<float>((7 * n + 3 * (k + i)) % 16 - 8));
  }
  return (both[0] & 0xffff) | both[1] << 16;
}

/* y[8 row + column] = 5 + the product of a's row and b's column, whose numbers are those of the row of this number. */
template <class Narrow, class Multiply> DEVICE void products_of_halves(const reverse_args &a, Narrow narrow, Multiply multiply) {
  int g = lane() / 4;
  int k = lane() % 4 * 2;
  int rows[4] = {halves_of(g, k, narrow), halves_of(g + 8, k, narrow), halves_of(g, k + 8, narrow), halves_of(g + 8, k + 8, narrow)};
  int columns[2] = {halves_of(g, k, narrow), halves_of(g, k + 8, narrow)};
  float d[4] = {5.0f, 5.0f, 5.0f, 5.0f};
  multiply(d, rows, columns);
  for (int i = 0; i < 4; i++) {
    a.y[8 * (g + i / 2 * 8) + lane() % 4 * 2 + i % 2] = d[i];
  }
}

SAME_ARGUMENTS(products_of_bf16);
KERNEL(products_of_bf16, 32) {
  products_of_halves(
      a, [](float x) { return bits_of(x) >> 16; },
      [](float(&d)[4], const int(&rows)[4], const int(&columns)[2]) { multiply_bf16(d, rows, columns); });
}

SAME_ARGUMENTS(products_of_f16);
KERNEL(products_of_f16, 32) {
  products_of_halves(
      a, [](float x) { return half_bits(x); },
      [](float(&d)[4], const int(&rows)[4], const int(&columns)[2]) { multiply_f16(d, rows, columns); });
}

/* Half of the lanes have another product than the others. */
SAME_ARGUMENTS(products_apart);
KERNEL(products_apart, 32) {
  int rows[2] = {0, 0};
  int d[4];
  if (lane() < 16) {
    multiply_matrices(d, rows, 0, 0);
  } else {
    multiply_matrices(d, rows, 0, 1);
  }
  write_products(a, d);
}

/* The last lane is gone when the others multiply. */
SAME_ARGUMENTS(product_without_a_lane);
KERNEL(product_without_a_lane, 32) {
  if (lane() == 31) {
    return;
  }
  int rows[2] = {0, 0};
  int d[4];
  multiply_matrices(d, rows, 0, 0);
  write_products(a, d);
}

/* The first group of two is waited for, and the second one is read. */
SAME_ARGUMENTS(copy_with_a_short_wait);
KERNEL(copy_with_a_short_wait, 32) {
  SHARED(float4, values, 2 * LANES);
  copy_async16(&values[lane()], a.x + 4 * lane());
  commit_async();
  copy_async16(&values[LANES + lane()], a.x + 4 * lane());
  commit_async();
  wait_async<1>();
  sync_warp();
  a.y[lane()] = values[LANES + lane()].x;
}

/* Copies to where the launch has no shared memory. */
SAME_ARGUMENTS(copy_to_nowhere);
KERNEL(copy_to_nowhere, 32) {
  copy_async16(dynamic_shared() + 16 * lane(), a.x + 4 * lane());
  commit_async();
  wait_async<0>();
  a.y[lane()] = a.x[lane()];
}
