// Matrices of f32, bf16 and f16 as PackedMatrix lays them down, and what the kernels that multiply them are given. Thirty-two rows are
// interleaved, a group: a column is 32 floats, or 16 ints of which int i has row i in its low and row i + 16 in its high half.
#pragma once

#include "dev.h"

struct matmul_part {
  const void *w;
  int rows;
  int columns;
  int x_column;  /* of x, where the part's columns begin */
  int y_column;  /* of y, where its rows go */
};

struct float_product_args {
  const matmul_part *parts;
  const float *x;
  const float *bias; /* or null; of all rows of y */
  float *y;
  const int *count;
  int x_stride;
  int y_stride;
  int part_stride; /* floats of y from part to part, in rows of y */
};
struct F32 {
  static constexpr int ROWS = 1; /* of a lane */
  static METHOD void row(int bits, float *w) { w[0] = float_of(bits); }
};

struct Bf16 {
  static constexpr int ROWS = 2;
  static METHOD void row(int bits, float *w) {
    w[0] = float_of(bits << 16);
    w[1] = float_of(bits & static_cast<int>(0xffff0000u));
  }
};

struct F16 {
  static constexpr int ROWS = 2;
  static METHOD void row(int bits, float *w) {
    w[0] = half_to_float(static_cast<unsigned short>(bits));
    w[1] = half_to_float(static_cast<unsigned short>(static_cast<unsigned>(bits) >> 16));
  }
};
