// Block-quantised weights as PackedFormat lays them down, and what the kernels that multiply them are given. Thirty-two rows are
// interleaved, a group; activations are rounded.h's.
#pragma once

#include "rounded.h"

struct blocks_part {
  const unsigned char *w;
  const rounded_piece *pieces;
  long long group_bytes;
  int rows;
  int count;    /* of pieces */
  int first;    /* place of its first piece among those of a token */
  int y_column;
};

struct block_product_args {
  const blocks_part *parts;
  const rounded *x; /* [tokens][pieces] */
  const float *bias; /* or null */
  float *y;
  const int *count;
  int pieces;
  int y_stride;
  int part_stride;
};

/* What PackedFormat says of a type. */
template <int low, int high, int zero, int scales, int mins, bool offset, bool runs> struct Format {
  static constexpr int LOW = low, HIGH = high, ZERO = zero, SCALES = scales, MINS = mins;
  static constexpr bool OFFSET = offset;
  static constexpr int SCALE_BYTES = offset ? 128 : 64;
  /* of the scales that a piece shares with its run; the bytes from a piece to each of its planes come after them */
  static constexpr int RUN_BYTES = runs ? SCALE_BYTES : 0;
  static constexpr int INTEGERS = runs ? 0 : SCALE_BYTES;
  static constexpr int LOW_PLANE = INTEGERS + 32 * (scales + mins);
  static constexpr int HIGH_PLANE = LOW_PLANE + 128 * low;
  static constexpr int BYTES = HIGH_PLANE + 128 * high;
  static METHOD int row() { return lane(); }
  static METHOD float scale(unsigned short d) { return half_to_float(d); }
};

/* A plane of bytes is [32 columns][32 rows]: a lane loads 8 columns of 4 rows, and in the end has the row it gathered. */
struct Bytes : Format<8, 0, 0, 0, 0, false, false> {
  static METHOD int row() { return 4 * (lane() % 8) + lane() / 8; }
};
/* Doubled values of four bits, whose scale is a bf16. */
struct Mxfp4 : Format<4, 0, 0, 0, 0, false, false> {
  static METHOD float scale(unsigned short d) { return float_of(static_cast<int>(static_cast<unsigned>(d) << 16)); }
};
using Q4_0 = Format<4, 0, 8, 0, 0, false, false>;
using Q4_1 = Format<4, 0, 0, 0, 0, true, false>;
using Q5_0 = Format<4, 1, 16, 0, 0, false, false>;
using Q5_1 = Format<4, 1, 0, 0, 0, true, false>;
using Q2_K = Format<2, 0, 0, 2, 2, true, true>;
using Q3_K = Format<2, 1, 4, 2, 0, false, true>;
using Q4_K = Format<4, 0, 0, 1, 1, true, true>;
using Q5_K = Format<4, 1, 0, 1, 1, true, true>;
using Q6_K = Format<4, 2, 32, 2, 0, false, true>;

DEVICE int word(const unsigned char *at) { return *reinterpret_cast<const int *>(at); }

/* Doubled values of mxfp4 for the codes in the four lowest nibbles: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives. */
DEVICE int mxfp4_values(int codes) {
  int magnitudes = codes & 0x7777;
  int positive = permute(0x03020100, 0x0c080604, magnitudes);
  int negative = permute(static_cast<int>(0xfdfeff00u), static_cast<int>(0xf4f8fafcu), magnitudes);
  /* fe where the code's sign is set: the lowest bit of both is the same. */
  int mask = (permute(static_cast<int>(0x80808080u), 0, codes & 0x8888) & 0x7f7f7f7f) << 1;
  return (positive & ~mask) | (negative & mask);
}
