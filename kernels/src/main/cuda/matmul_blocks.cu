// The product of block-quantised matrices with rounded activations (NUMERICS rule 2): for every piece of columns ascending,
// acc = fma((float) I, d * s, acc), I the integer sum of the piece times the type's integer scales, and for types with an offset
// acc = fma((float) M, b * s, acc). Weights lie as PackedFormat says, 32 rows interleaved; a warp takes such a group and a lane a row.
// The layout of parts, tokens and grid is that of matmul_float.cu, that of activations rounded.h's.
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

struct matmul_q8_0_args {
  const blocks_part *parts;
  const rounded *x; /* [tokens][pieces] */
  const float *bias; /* or null */
  float *y;
  const int *count;
  int pieces;
  int y_stride;
  int part_stride;
};

constexpr int WARPS = 4;
constexpr int TOKENS = 4;

/* What PackedFormat says of a type. */
template <int low, int high, int zero, int scales, int mins, bool offset, bool runs> struct Format {
  static constexpr int LOW = low, HIGH = high, ZERO = zero, SCALES = scales, MINS = mins;
  static constexpr bool OFFSET = offset;
  static constexpr int INTEGERS = runs ? 0 : offset ? 128 : 64;
  static constexpr int LOW_PLANE = INTEGERS + 32 * (scales + mins);
  static constexpr int HIGH_PLANE = LOW_PLANE + 128 * low;
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

/* The four bits of every column of an octet of a plane. */
template <int bits> DEVICE int nibbles(const int *plane, int octet) {
  if (bits == 4) {
    return plane[octet];
  }
  if (bits == 2) {
    return plane[octet / 2] >> (2 * (octet % 2)) & 0x33333333;
  }
  return plane[0] >> octet & 0x11111111;
}

/* The integer weights of 32 columns of the lane's row, as round_activations orders them with nibbles. */
template <class F> struct Codes {
  int q[8];

  METHOD explicit Codes(const unsigned char *piece) {
    int low[F::LOW];
    int high[F::HIGH > 0 ? F::HIGH : 1];
UNROLL
    for (int i = 0; i < F::LOW; i++) {
      low[i] = word(piece + F::LOW_PLANE + 128 * i + 4 * lane());
    }
UNROLL
    for (int i = 0; i < F::HIGH; i++) {
      high[i] = word(piece + F::HIGH_PLANE + 128 * i + 4 * lane());
    }
UNROLL
    for (int octet = 0; octet < 4; octet++) {
      int l = nibbles<F::LOW>(low, octet);
      q[2 * octet] = l & 0x0f0f0f0f;
      q[2 * octet + 1] = l >> 4 & 0x0f0f0f0f;
      if (F::HIGH > 0) {
        int h = nibbles<F::HIGH>(high, octet);
        q[2 * octet] |= (h & 0x0f0f0f0f) << F::LOW;
        q[2 * octet + 1] |= (h >> 4 & 0x0f0f0f0f) << F::LOW;
      }
    }
  }

  /* Sums of columns 0 to 15 and 16 to 31. */
  METHOD void dot(const int *x, int *sums) const {
UNROLL
    for (int half = 0; half < 2; half++) {
      sums[half] = 0;
UNROLL
      for (int i = 4 * half; i < 4 * half + 4; i++) {
        sums[half] = dot4(q[i], x[i], sums[half]);
      }
    }
  }
};

template <> struct Codes<Mxfp4> {
  int q[8];

  METHOD explicit Codes(const unsigned char *piece) {
UNROLL
    for (int octet = 0; octet < 4; octet++) {
      int codes = word(piece + Mxfp4::LOW_PLANE + 128 * octet + 4 * lane());
      q[2 * octet] = values(codes & 0x0f0f0f0f);
      q[2 * octet + 1] = values(codes >> 4 & 0x0f0f0f0f);
    }
  }

  /* 0, 1, 2, 3, 4, 6, 8, 12 and their negatives for the codes in four bytes. */
  static METHOD int values(int codes) {
    int index = codes & 0x07070707;
    int selector = (index | index >> 4) & 0x00ff00ff;
    selector = (selector | selector >> 8) & 0xffff;
    int value = permute(0x03020100, 0x0c080604, selector);
    int negative = (codes >> 3 & 0x01010101) * 0xff;
    /* 128 - v in every byte, whose upper bit turned around makes it -v. */
    int inverse = ((value ^ 0x7f7f7f7f) + 0x01010101) ^ static_cast<int>(0x80808080u);
    return (value & ~negative) | (inverse & negative);
  }

  METHOD void dot(const int *x, int *sums) const {
    sums[0] = 0;
    sums[1] = 0;
UNROLL
    for (int i = 0; i < 8; i++) {
      sums[0] = dot4(q[i], x[i], sums[0]);
    }
  }
};

template <> struct Codes<Bytes> {
  int q[4][2]; /* eight columns of four rows */

  METHOD explicit Codes(const unsigned char *piece) {
    const unsigned char *at = piece + Bytes::LOW_PLANE + 32 * 8 * (lane() / 8) + 4 * (lane() % 8);
UNROLL
    for (int i = 0; i < 2; i++) {
      int w0 = word(at + 128 * i);
      int w1 = word(at + 128 * i + 32);
      int w2 = word(at + 128 * i + 64);
      int w3 = word(at + 128 * i + 96);
      int low01 = permute(w0, w1, 0x5140);
      int low23 = permute(w2, w3, 0x5140);
      int high01 = permute(w0, w1, 0x7362);
      int high23 = permute(w2, w3, 0x7362);
      q[0][i] = permute(low01, low23, 0x5410);
      q[1][i] = permute(low01, low23, 0x7632);
      q[2][i] = permute(high01, high23, 0x5410);
      q[3][i] = permute(high01, high23, 0x7632);
    }
  }

  /* Every lane has sums of eight columns for four rows, and keeps those of one row over all columns. */
  METHOD void dot(const int *x, int *sums) const {
    int quarter = lane() / 8;
    int rows[4];
UNROLL
    for (int r = 0; r < 4; r++) {
      rows[r] = dot4(q[r][1], x[2 * quarter + 1], dot4(q[r][0], x[2 * quarter], 0));
    }
    bool upper = quarter >= 2;
    int even = (upper ? rows[2] : rows[0]) + shuffle_xor(upper ? rows[0] : rows[2], 16);
    int odd = (upper ? rows[3] : rows[1]) + shuffle_xor(upper ? rows[1] : rows[3], 16);
    bool second = quarter % 2 == 1;
    sums[0] = (second ? odd : even) + shuffle_xor(second ? even : odd, 8);
    sums[1] = 0;
  }
};

template <class F> DEVICE void matmul(const matmul_q8_0_args &a) {
  const blocks_part part = a.parts[blockIdx.z];
  int count = *a.count;
  int first = static_cast<int>(blockIdx.y) * TOKENS;
  int group = static_cast<int>(blockIdx.x) * WARPS + warp();
  if (first >= count || group >= (part.rows + LANES - 1) / LANES) {
    return;
  }
  const unsigned char *w = part.w + group * part.group_bytes;
  int half = 4 * (F::row() % 16) + 2 * (F::row() / 16);
  float acc[TOKENS] = {};
  for (int p = 0; p < part.count; p++) {
    const rounded_piece piece = part.pieces[p];
    const unsigned char *codes = w + piece.codes;
    const unsigned char *scales = w + piece.scales + half;
    Codes<F> weights(codes);
    float d = F::scale(*reinterpret_cast<const unsigned short *>(scales));
    float b = F::OFFSET ? half_to_float(*reinterpret_cast<const unsigned short *>(scales + 64)) : 0.0f;
    const signed char *integers = reinterpret_cast<const signed char *>(codes + F::INTEGERS + lane());
UNROLL
    for (int t = 0; t < TOKENS; t++) {
      const rounded *x = a.x + static_cast<long long>(min(first + t, count - 1)) * a.pieces + part.first + p;
      int sums[2];
      weights.dot(x->q, sums);
      if (F::ZERO != 0) {
        sums[0] -= F::ZERO * x->sums[0];
        sums[1] -= F::ZERO * x->sums[1];
      }
      int weighted = F::SCALES == 2   ? integers[0] * sums[0] + integers[32] * sums[1]
                     : F::SCALES == 1 ? integers[0] * (sums[0] + sums[1])
                                      : sums[0] + sums[1];
      acc[t] = fma_rn(static_cast<float>(weighted), mul_rn(d, x->scale), acc[t]);
      if (F::OFFSET) {
        const signed char *mins = integers + 32 * F::SCALES;
        int offsets = F::MINS == 2   ? mins[0] * x->sums[0] + mins[32] * x->sums[1]
                      : F::MINS == 1 ? mins[0] * (x->sums[0] + x->sums[1])
                                     : x->sums[0] + x->sums[1];
        acc[t] = fma_rn(static_cast<float>(offsets), mul_rn(b, x->scale), acc[t]);
      }
    }
  }
  int row = group * LANES + F::row();
UNROLL
  for (int t = 0; t < TOKENS; t++) {
    if (first + t < count && row < part.rows) {
      int column = part.y_column + row;
      float sum = a.bias == nullptr ? acc[t] : add_rn(acc[t], a.bias[column]);
      a.y[(static_cast<long long>(blockIdx.z) * a.part_stride + first + t) * a.y_stride + column] = sum;
    }
  }
}

using matmul_q4_0_args = matmul_q8_0_args;
using matmul_q4_1_args = matmul_q8_0_args;
using matmul_q5_0_args = matmul_q8_0_args;
using matmul_q5_1_args = matmul_q8_0_args;
using matmul_q2_k_args = matmul_q8_0_args;
using matmul_q3_k_args = matmul_q8_0_args;
using matmul_q4_k_args = matmul_q8_0_args;
using matmul_q5_k_args = matmul_q8_0_args;
using matmul_q6_k_args = matmul_q8_0_args;
using matmul_mxfp4_args = matmul_q8_0_args;

/* iq4_nl is widened to this too. */
KERNEL(matmul_q8_0, WARPS * LANES) { matmul<Bytes>(a); }
KERNEL(matmul_q4_0, WARPS * LANES) { matmul<Q4_0>(a); }
KERNEL(matmul_q4_1, WARPS * LANES) { matmul<Q4_1>(a); }
KERNEL(matmul_q5_0, WARPS * LANES) { matmul<Q5_0>(a); }
KERNEL(matmul_q5_1, WARPS * LANES) { matmul<Q5_1>(a); }
KERNEL(matmul_q2_k, WARPS * LANES) { matmul<Q2_K>(a); }
KERNEL(matmul_q3_k, WARPS * LANES) { matmul<Q3_K>(a); }
KERNEL(matmul_q4_k, WARPS * LANES) { matmul<Q4_K>(a); }
KERNEL(matmul_q5_k, WARPS * LANES) { matmul<Q5_K>(a); }
KERNEL(matmul_q6_k, WARPS * LANES) { matmul<Q6_K>(a); }
KERNEL(matmul_mxfp4, WARPS * LANES) { matmul<Mxfp4>(a); }
