// The product of block-quantised matrices with rounded activations (NUMERICS rule 2): for every piece of columns ascending,
// acc = fma((float) I, d * s, acc), I the integer sum of the piece times the type's integer scales, and for types with an offset
// acc = fma((float) M, b * s, acc). Weights lie as PackedFormat says, 32 rows interleaved; a warp takes such a group and a lane a row.
// The layout of parts, tokens and grid is that of matmul_float.cu, that of activations rounded.h's.
#include "packed.h"

constexpr int WARPS = 4;
constexpr int TOKENS = 4;

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
      q[2 * octet] = mxfp4_values(codes);
      q[2 * octet + 1] = mxfp4_values(codes >> 16);
    }
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

template <class F> DEVICE void matmul(const block_product_args &a) {
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

#define PRODUCT(name, F) \
  using name##_args = block_product_args; \
  KERNEL(name, WARPS * LANES) { matmul<F>(a); }

/* iq4_nl is widened to this too. */
PRODUCT(matmul_q8_0, Bytes)
PRODUCT(matmul_q4_0, Q4_0)
PRODUCT(matmul_q4_1, Q4_1)
PRODUCT(matmul_q5_0, Q5_0)
PRODUCT(matmul_q5_1, Q5_1)
PRODUCT(matmul_q2_k, Q2_K)
PRODUCT(matmul_q3_k, Q3_K)
PRODUCT(matmul_q4_k, Q4_K)
PRODUCT(matmul_q5_k, Q5_K)
PRODUCT(matmul_q6_k, Q6_K)
PRODUCT(matmul_mxfp4, Mxfp4)
