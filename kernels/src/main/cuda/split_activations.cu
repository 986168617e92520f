// Activations for matmul_fast.cu: x * 2^s = high + low, high = x * 2^s rounded to nearest even and low what is left, rounded alike. For bf16,
// whose range is that of f32, s is 0: |x - high - low| <= 2^-16 |x|. For f16 the largest |x| of a token's part comes to lie from 2^14 to
// 2^15, so that none is too large, and |x - high - low| <= 2^-22 |x|, or 2^-39 of the largest where low is subnormal. z of the grid is a chunk of columns; a warp
// takes a line at a time, a lane a column.
#include "floats.h"
#include "split.h"

struct split_activations_args {
  const matmul_part *parts;
  const float *x;
  split_line *to; /* [parts][tokens][lines] */
  float *scales;  /* 2^-s, [parts][tokens] */
  const int *count;
  int x_stride;
  int lines;
  int tokens;
};

using split_activations_bf16_args = split_activations_args;
using split_activations_f16_args = split_activations_args;

constexpr int WARPS = 8;
constexpr int LINES = 32; /* of a block */

/* The bits of the nearest bf16, ties to even; a NaN stays one. */
DEVICE int bf16_bits(float x) {
  auto bits = static_cast<unsigned>(bits_of(x));
  return static_cast<int>((x != x ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

struct ToBf16 {
  static constexpr bool SCALED = false;
  static METHOD int bits(float x) { return bf16_bits(x); }
  static METHOD float value(int bits) { return float_of(bits << 16); }
};

struct ToF16 {
  static constexpr bool SCALED = true;
  static METHOD int bits(float x) { return half_bits(x); }
  static METHOD float value(int bits) { return half_to_float(static_cast<unsigned short>(bits)); }
};

/* The exponent of 2^s as the bits of a float have it, where the largest magnitude is this: 2^s and 2^-s are normal numbers. */
DEVICE int scale_exponent(float most) { return min(253, 127 + 14 + 127 - (bits_of(most) >> 23)); }

template <class W> DEVICE void split(const split_activations_args &a, float (&most)[WARPS]) {
  long long token = blockIdx.y;
  if (token >= *a.count) {
    return;
  }
  const matmul_part part = a.parts[blockIdx.z];
  const float *x = a.x + token * a.x_stride + part.x_column;
  int exponent = 127;
  if (W::SCALED) {
    float own = 0.0f;
    for (int c = static_cast<int>(threadIdx.x); c < part.columns; c += WARPS * LANES) {
      own = fmaxf(own, fabsf(x[c]));
    }
    for (int bits = LANES / 2; bits >= 1; bits /= 2) {
      own = fmaxf(own, shuffle_xor(own, bits));
    }
    if (lane() == 0) {
      most[warp()] = own;
    }
    sync_block();
    for (int w = 0; w < WARPS; w++) {
      own = fmaxf(own, most[w]);
    }
    exponent = scale_exponent(own);
  }
  float scale = float_of(exponent << 23);
  long long row = static_cast<long long>(blockIdx.z) * a.tokens + token;
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    a.scales[row] = float_of((254 - exponent) << 23);
  }
  int first = static_cast<int>(blockIdx.x) * LINES;
  for (int line = first + warp(); line < min(a.lines, first + LINES); line += WARPS) {
    int column = line * LINE + lane();
    float v = column < part.columns ? mul_rn(x[column], scale) : 0.0f;
    int high = W::bits(v);
    int low = W::bits(sub_rn(v, W::value(high)));
    split_line &to = a.to[row * a.lines + line];
    to.high[lane()] = static_cast<unsigned short>(high);
    to.low[lane()] = static_cast<unsigned short>(low);
  }
}

KERNEL(split_activations_bf16, WARPS * LANES) {
  SHARED(float, most, WARPS);
  split<ToBf16>(a, most);
}

KERNEL(split_activations_f16, WARPS * LANES) {
  SHARED(float, most, WARPS);
  split<ToF16>(a, most);
}
