// Rows of an embedding table, which the host has gathered as the file stores them, to f32 (NUMERICS rule 1; the bytes are described at
// DType). A thread a column.
#include "dev.h"

struct embed_args {
  const unsigned char *rows; /* [count][row_bytes] */
  float *y;                  /* [count, n] */
  const int *count;
  int n;
  int row_bytes;
};

/* The parts of a column's value: d * scale * weight (+ b * min). */
struct EmbedParts {
  float d;
  int scale;
  int weight;
  float b;
  int min;
};

DEVICE int u16(const unsigned char *p) { return p[0] | p[1] << 8; }
DEVICE float half_at(const unsigned char *p) { return half_to_float(static_cast<unsigned short>(u16(p))); }
DEVICE float minus_half_at(const unsigned char *p) { return half_to_float(static_cast<unsigned short>(u16(p) ^ 0x8000)); }
DEVICE int signed_byte(const unsigned char *p) { return static_cast<signed char>(*p); }

/* Columns 0 to 15 in the low, 16 to 31 in the high halves of 16 bytes. */
DEVICE int nibble(const unsigned char *p, int k) { return p[k % 16] >> (k / 16 * 4) & 15; }

/* Two bits a column, eighth j of a super-block. */
DEVICE int two_bits(const unsigned char *p, int j, int i) { return p[j / 4 * 32 + i] >> (2 * (j % 4)) & 3; }

/* An IQ4_NL and a doubled MXFP4 value by its code; bytes of the tables lie in ints. */
DEVICE int iq4_nl_value(int code) {
  int value = code < 8 ? permute(static_cast<int>(0xbfad9881u), static_cast<int>(0xf6eaddcfu), code)
                       : permute(0x26190d01, 0x71594535, code - 8);
  return static_cast<signed char>(value & 0xff);
}
DEVICE int mxfp4_value(int code) {
  int value = permute(0x03020100, 0x0c080604, code & 7) & 0xff;
  return code < 8 ? value : -value;
}

/* Columns of a block, of which k is one; p is where the block starts. */
DEVICE EmbedParts q8_0(const unsigned char *p, int k) { return {half_at(p), 1, signed_byte(p + 2 + k), 0.0f, 0}; }
DEVICE EmbedParts q4_0(const unsigned char *p, int k) { return {half_at(p), 1, nibble(p + 2, k) - 8, 0.0f, 0}; }
DEVICE EmbedParts q4_1(const unsigned char *p, int k) { return {half_at(p), 1, nibble(p + 4, k), half_at(p + 2), 1}; }
DEVICE int fifth_bit(const unsigned char *p, int k) { return (p[k / 8] >> (k % 8) & 1) << 4; }
DEVICE EmbedParts q5_0(const unsigned char *p, int k) {
  return {half_at(p), 1, (nibble(p + 6, k) | fifth_bit(p + 2, k)) - 16, 0.0f, 0};
}
DEVICE EmbedParts q5_1(const unsigned char *p, int k) {
  return {half_at(p), 1, nibble(p + 8, k) | fifth_bit(p + 4, k), half_at(p + 2), 1};
}
DEVICE EmbedParts iq4_nl(const unsigned char *p, int k) { return {half_at(p), 1, iq4_nl_value(nibble(p + 2, k)), 0.0f, 0}; }
DEVICE EmbedParts mxfp4(const unsigned char *p, int k) {
  int e = p[0];
  int bits = e == 255 ? 0x7fc0 : e < 2 ? 0x20 << e : (e - 1) << 7;
  return {float_of(bits << 16), 1, mxfp4_value(nibble(p + 1, k)), 0.0f, 0};
}
DEVICE EmbedParts q2_k(const unsigned char *p, int k) {
  int pair = p[k / 16];
  return {half_at(p + 80), pair & 15, two_bits(p + 16, k / 32, k % 32), minus_half_at(p + 82), pair >> 4};
}
DEVICE EmbedParts q3_k(const unsigned char *p, int k) {
  int s = k / 16;
  int low = p[96 + s % 8] >> (s < 8 ? 0 : 4) & 15;
  int high = p[104 + s % 4] >> (2 * (s / 4)) & 3;
  int code = two_bits(p + 32, k / 32, k % 32) | (p[k % 32] >> (k / 32) & 1) << 2;
  return {half_at(p + 108), (low | high << 4) - 32, code - 4, 0.0f, 0};
}
/* Six-bit scales and mins of q4_k and q5_k. */
DEVICE EmbedParts with_scales(const unsigned char *p, int j, int code) {
  const unsigned char *s = p + 4;
  int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
  int min = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
  return {half_at(p), scale, code, minus_half_at(p + 2), min};
}
DEVICE int nibble_of_pair(const unsigned char *p, int k) { return p[k / 64 * 32 + k % 32] >> (k / 32 % 2 * 4) & 15; }
DEVICE EmbedParts q4_k(const unsigned char *p, int k) { return with_scales(p, k / 32, nibble_of_pair(p + 16, k)); }
DEVICE EmbedParts q5_k(const unsigned char *p, int k) {
  return with_scales(p, k / 32, nibble_of_pair(p + 48, k) | (p[16 + k % 32] >> (k / 32) & 1) << 4);
}
DEVICE EmbedParts q6_k(const unsigned char *p, int k) {
  int j = k / 32;
  int low = p[j / 4 * 64 + j % 2 * 32 + k % 32] >> (j % 4 / 2 * 4) & 15;
  int high = p[128 + j / 4 * 32 + k % 32] >> (2 * (j % 4)) & 3;
  return {half_at(p + 208), signed_byte(p + 192 + k / 16), (low | high << 4) - 32, 0.0f, 0};
}

template <class Value> DEVICE void embed(const embed_args &a, Value value) {
  long long token = blockIdx.y;
  int k = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (token < *a.count && k < a.n) {
    a.y[token * a.n + k] = value(a.rows + token * a.row_bytes, k);
  }
}

#define EMBED(type, value)                                                                                                       \
  using embed_##type##_args = embed_args;                                                                                        \
  KERNEL(embed_##type, 256) {                                                                                                    \
    embed(a, [](const unsigned char *row, int k) { return value; });                                                             \
  }

EMBED(f32, float_of(static_cast<int>(static_cast<unsigned>(u16(row + 4 * k)) | static_cast<unsigned>(u16(row + 4 * k + 2)) << 16)))
EMBED(bf16, float_of(static_cast<int>(static_cast<unsigned>(u16(row + 2 * k)) << 16)))
EMBED(f16, half_at(row + 2 * k))

DEVICE float scaled(const EmbedParts &p) {
  return mul_rn(mul_rn(p.d, static_cast<float>(p.scale)), static_cast<float>(p.weight));
}
DEVICE float with_offset(const EmbedParts &p) { return add_rn(scaled(p), mul_rn(p.b, static_cast<float>(p.min))); }

EMBED(q8_0, scaled(q8_0(row + k / 32 * 34, k % 32)))
EMBED(q4_0, scaled(q4_0(row + k / 32 * 18, k % 32)))
EMBED(q4_1, with_offset(q4_1(row + k / 32 * 20, k % 32)))
EMBED(q5_0, scaled(q5_0(row + k / 32 * 22, k % 32)))
EMBED(q5_1, with_offset(q5_1(row + k / 32 * 24, k % 32)))
EMBED(iq4_nl, scaled(iq4_nl(row + k / 32 * 18, k % 32)))
EMBED(mxfp4, scaled(mxfp4(row + k / 32 * 17, k % 32)))
EMBED(q2_k, with_offset(q2_k(row + k / 256 * 84, k % 256)))
EMBED(q3_k, scaled(q3_k(row + k / 256 * 110, k % 256)))
EMBED(q4_k, with_offset(q4_k(row + k / 256 * 144, k % 256)))
EMBED(q5_k, with_offset(q5_k(row + k / 256 * 176, k % 256)))
EMBED(q6_k, scaled(q6_k(row + k / 256 * 210, k % 256)))
