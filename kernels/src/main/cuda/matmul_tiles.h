// The products of matmul_blocks.cu for many tokens, with its bits: the integer sum of a piece of columns is exact, so tensor cores make it,
// and every output takes the same float operations for every piece ascending. A block takes a tile of rows and tokens; packed weights and
// rounded activations come to shared memory by stages of some pieces, which are copied while earlier ones are in use. A warp takes a group
// of 32 rows and some tokens. With g = lane / 4 and t = lane % 4, a lane has rows 4 g to 4 g + 3 of the group and of every 8 tokens 2 t and
// 2 t + 1: which rows the tensor cores take for neighbours is free, and so they lie side by side in the packed planes.
#include "packed.h"

/* Groups of rows and tokens of a block, warps side by side in tokens, pieces of a stage, stages. */
template <int groups, int tokens, int columns, int pieces, int stages> struct Tile {
  static constexpr int GROUPS = groups, TOKENS = tokens, COLUMNS = columns, PIECES = pieces, STAGES = stages;
  static constexpr int WARPS = groups * columns;
  static constexpr int EIGHTS = tokens / columns / 8; /* times 8 tokens of a warp */
  static_assert(EIGHTS % 2 == 0, "activations are loaded for 16 tokens");
};
using Wide = Tile<4, 128, 2, 2, 4>;
using Skinny = Tile<2, 64, 4, 4, 4>;

constexpr int CHUNK = 16; /* bytes that are copied together */

/* The sum of a product of tensor cores starts from this number's bits, and so ends as those of ROUNDER + I for every |I| < 2^22. */
constexpr float ROUNDER = 0x1.8p23f;
constexpr int ROUNDER_BITS = 0x4b400000;

DEVICE float exact_float(int bits) { return sub_rn(float_of(bits), ROUNDER); }

/* Where things lie in the shared memory of a stage, in bytes. Of a token's two chunks of integers in a piece, the first lies behind the
   second for every other four tokens, so that eight tokens' chunks are in different banks. */
template <class F, class T> struct Stage {
  static constexpr int WEIGHTS = F::RUN_BYTES + F::BYTES; /* of a group and piece */
  static constexpr int SUMS = T::PIECES * T::GROUPS * WEIGHTS;
  static constexpr int INTEGERS = SUMS + T::PIECES * T::TOKENS * CHUNK;
  static constexpr int BYTES = INTEGERS + T::PIECES * T::TOKENS * 2 * CHUNK;

  static METHOD int weights(int piece, int group) { return (piece * T::GROUPS + group) * WEIGHTS; }
  /* The scale and sums of a token. */
  static METHOD int sums(int piece, int token) { return SUMS + (piece * T::TOKENS + token) * CHUNK; }
  static METHOD int integers(int piece, int token, int half) {
    return INTEGERS + ((piece * T::TOKENS + token) * 2 + (half ^ (token >> 2 & 1))) * CHUNK;
  }
};

/* Where a chunk of a piece goes. Octets of four bits that are read together lie 128 bytes apart, so every other one is turned around. */
template <class F> DEVICE int place(int chunk) {
  constexpr int plane = (F::RUN_BYTES + F::LOW_PLANE) / CHUNK;
  int at = chunk - plane;
  return F::LOW == 4 && at >= 0 && at < 32 ? plane + (at ^ (at >> 2 & 2)) : chunk;
}

/* Starts to copy the pieces from `from` on. Tokens behind the last one are left as they are: they touch no other's sums. */
template <class F, class T> DEVICE void copy_stage(const block_product_args &a, const blocks_part &part, int from, unsigned char *stage) {
  int pieces = min(T::PIECES, part.count - from);
  int groups = (part.rows + LANES - 1) / LANES;
  for (int i = warp(); i < pieces * T::GROUPS; i += T::WARPS) {
    int group = static_cast<int>(blockIdx.x) * T::GROUPS + i % T::GROUPS;
    const rounded_piece &piece = part.pieces[from + i / T::GROUPS];
    const unsigned char *w = part.w + min(group, groups - 1) * part.group_bytes;
    unsigned char *to = stage + Stage<F, T>::weights(i / T::GROUPS, i % T::GROUPS);
    for (int c = lane(); c < Stage<F, T>::WEIGHTS / CHUNK; c += LANES) {
      int offset = c * CHUNK < F::RUN_BYTES ? piece.scales + c * CHUNK : piece.codes + c * CHUNK - F::RUN_BYTES;
      copy_async16(to + place<F>(c) * CHUNK, w + offset);
    }
  }
  int first = static_cast<int>(blockIdx.y) * T::TOKENS;
  int tokens = min(T::TOKENS, *a.count - first);
  for (int i = static_cast<int>(threadIdx.x); i < tokens * T::PIECES * 3; i += T::WARPS * LANES) {
    int token = i / (3 * T::PIECES);
    int piece = i / 3 % T::PIECES;
    if (piece < pieces) {
      const rounded *x = a.x + static_cast<long long>(first + token) * a.pieces + part.first + from + piece;
      int at = i % 3 == 2 ? Stage<F, T>::sums(piece, token) : Stage<F, T>::integers(piece, token, i % 3);
      copy_async16(stage + at, reinterpret_cast<const unsigned char *>(x) + i % 3 * CHUNK);
    }
  }
}

DEVICE int4 four(const unsigned char *at) { return *reinterpret_cast<const int4 *>(at); }

/* The words of a lane's four rows in a plane of some bits, for the half of the columns from 16 half + 4 t on as rounded activations have
   them, each word moved down so that its first column is in the lowest bits of every byte. */
template <int bits> DEVICE void words(const unsigned char *plane, int half, int (&to)[4]) {
  int g = lane() / 4;
  int octet = 2 * half + lane() % 4 / 2;
  int row = bits == 4 ? 8 * octet + (g ^ (octet % 2 * 2)) : bits == 2 ? 8 * half + g : g;
  int shift = bits * (octet % (4 / bits)) + 4 * (lane() % 2);
  int4 w = four(plane + row * CHUNK);
  to[0] = w.x >> shift;
  to[1] = w.y >> shift;
  to[2] = w.z >> shift;
  to[3] = w.w >> shift;
}

/* The integer weights of a lane's four rows for four columns of each half, as the tensor cores take them. */
template <class F> struct Integers {
  int of[2][4]; /* [half][row] */

  METHOD explicit Integers(const unsigned char *piece) {
UNROLL
    for (int half = 0; half < 2; half++) {
      int low[4];
      words<F::LOW>(piece + F::LOW_PLANE, half, low);
      int high[4] = {};
      if constexpr (F::HIGH > 0) {
        words<F::HIGH>(piece + F::HIGH_PLANE, half, high);
      }
UNROLL
      for (int r = 0; r < 4; r++) {
        unsigned code = static_cast<unsigned>(low[r]) & BYTES * ((1 << F::LOW) - 1);
        if (F::HIGH > 0) {
          code |= (static_cast<unsigned>(high[r]) & BYTES * ((1 << F::HIGH) - 1)) << F::LOW;
        }
        /* code - ZERO in every byte: 128 more never overflows, and turning the upper bit around takes them off. */
        of[half][r] = static_cast<int>(F::ZERO == 0 ? code : (code + BYTES * (128 - F::ZERO)) ^ BYTES * 128);
      }
    }
  }

  static constexpr unsigned BYTES = 0x01010101;
};

template <> struct Integers<Mxfp4> {
  int of[2][4];

  METHOD explicit Integers(const unsigned char *piece) {
UNROLL
    for (int half = 0; half < 2; half++) {
      int octet = 2 * half + lane() % 4 / 2;
      int shift = 16 * (lane() % 2);
      int4 w = four(piece + Mxfp4::LOW_PLANE + (8 * octet + (lane() / 4 ^ (octet % 2 * 2))) * CHUNK);
      of[half][0] = mxfp4_values(w.x >> shift);
      of[half][1] = mxfp4_values(w.y >> shift);
      of[half][2] = mxfp4_values(w.z >> shift);
      of[half][3] = mxfp4_values(w.w >> shift);
    }
  }
};

template <> struct Integers<Bytes> {
  int of[2][4];

  /* A word has four rows of a column. Lanes of different t begin with different columns, which are in different banks. */
  METHOD explicit Integers(const unsigned char *piece) {
    int t = lane() % 4;
    const unsigned char *plane = piece + Bytes::LOW_PLANE + lane() / 4 * 4 + t * 128;
    int even = turned(0x5410, t);
    int odd = turned(0x7632, t);
UNROLL
    for (int half = 0; half < 2; half++) {
      int w[4];
UNROLL
      for (int i = 0; i < 4; i++) {
        w[i] = word(plane + 512 * half + (i + t) % 4 * 32);
      }
      int low01 = permute(w[0], w[1], 0x5140);
      int low23 = permute(w[2], w[3], 0x5140);
      int high01 = permute(w[0], w[1], 0x7362);
      int high23 = permute(w[2], w[3], 0x7362);
      of[half][0] = permute(low01, low23, even);
      of[half][1] = permute(low01, low23, odd);
      of[half][2] = permute(high01, high23, even);
      of[half][3] = permute(high01, high23, odd);
    }
  }

  /* A selector of four bytes that begins with the last t of them. */
  static METHOD int turned(int selector, int t) { return selector << (4 * t) | selector >> (16 - 4 * t); }
};

/* Float scales of a lane's four rows. */
template <class F> DEVICE void scales(const unsigned char *at, float (&to)[4], bool offset) {
  int g = lane() / 4;
  int4 w = four(at + g % 4 * CHUNK);
  int both[4] = {w.x, w.y, w.z, w.w};
UNROLL
  for (int r = 0; r < 4; r++) {
    auto half = static_cast<unsigned short>(both[r] >> (g / 4 * 16));
    to[r] = offset ? half_to_float(half) : F::scale(half);
  }
}

/* Integer scales of a lane's four rows. */
DEVICE void integer_scales(const unsigned char *at, float (&to)[4]) {
  int w = word(at + lane() / 4 * 4);
UNROLL
  for (int r = 0; r < 4; r++) {
    to[r] = static_cast<float>(static_cast<signed char>(w >> (8 * r)));
  }
}

/* What a lane knows of a piece's weights. */
template <class F> struct Weights {
  Integers<F> integers;
  float d[4], b[4], of_half[2][4], min_of_half[2][4];

  METHOD explicit Weights(const unsigned char *at) : integers(at + F::RUN_BYTES) {
    scales<F>(at, d, false);
    if (F::OFFSET) {
      scales<F>(at + 64, b, true);
    }
    const unsigned char *more = at + F::RUN_BYTES + F::INTEGERS;
UNROLL
    for (int half = 0; half < 2; half++) {
      if (half < F::SCALES) {
        integer_scales(more + 32 * half, of_half[half]);
      }
      if (half < F::MINS) {
        integer_scales(more + 32 * (F::SCALES + half), min_of_half[half]);
      }
    }
  }

  /* Integer sums of rows 2 m and 2 m + 1 with tokens 2 t and 2 t + 1, row by row. q are the tokens' integers of both halves. Every number
     is an integer below 2^24, so no operation rounds. */
  METHOD void dot(int m, const int (&q)[2], float (&sums)[4]) const {
    if constexpr (F::SCALES < 2) {
      int a[4] = {integers.of[0][2 * m], integers.of[0][2 * m + 1], integers.of[1][2 * m], integers.of[1][2 * m + 1]};
      int c[4];
      multiply_matrices(c, a, q, ROUNDER_BITS);
UNROLL
      for (int i = 0; i < 4; i++) {
        sums[i] = F::SCALES == 0 ? exact_float(c[i]) : mul_rn(exact_float(c[i]), of_half[0][2 * m + i / 2]);
      }
    } else {
UNROLL
      for (int half = 0; half < 2; half++) {
        int a[2] = {integers.of[half][2 * m], integers.of[half][2 * m + 1]};
        int c[4];
        multiply_matrices(c, a, q[half], ROUNDER_BITS);
UNROLL
        for (int i = 0; i < 4; i++) {
          float scale = of_half[half][2 * m + i / 2];
          sums[i] = half == 0 ? mul_rn(exact_float(c[i]), scale) : fma_rn(exact_float(c[i]), scale, sums[i]);
        }
      }
    }
  }

  /* The integer sum of the offset for a row, of a token's sums of both halves. */
  METHOD float offsets(int row, const float (&sums)[2]) const {
    return F::MINS == 2   ? fma_rn(min_of_half[1][row], sums[1], mul_rn(min_of_half[0][row], sums[0]))
           : F::MINS == 1 ? mul_rn(min_of_half[0][row], add_rn(sums[0], sums[1]))
                          : add_rn(sums[0], sums[1]);
  }
};

/* A warp adds a piece of its group to its tokens' sums, [8 tokens][row][token]. */
template <class F, class T>
DEVICE void add_piece(const unsigned char *stage, int piece, int group, int token, float (&acc)[T::EIGHTS][4][2]) {
  const Weights<F> w(stage + Stage<F, T>::weights(piece, group));
  int from = token + lane() / 16 * 8 + lane() % 8;
  const unsigned char *integers = stage + Stage<F, T>::integers(piece, from, lane() / 8 % 2);
UNROLL
  for (int pair = 0; pair < T::EIGHTS; pair += 2) {
    int q[4];
    load_matrices(q, integers + pair * 8 * 2 * CHUNK);
UNROLL
    for (int n = 0; n < 2; n++) {
      float s[2];
      float sums[2][2] = {};
UNROLL
      for (int j = 0; j < 2; j++) {
        int of = token + 8 * (pair + n) + lane() % 4 * 2 + j;
        int4 rounded = four(stage + Stage<F, T>::sums(piece, of));
        s[j] = float_of(rounded.x);
        sums[j][0] = exact_float(rounded.y + ROUNDER_BITS);
        sums[j][1] = exact_float(rounded.z + ROUNDER_BITS);
      }
      int halves[2] = {q[2 * n], q[2 * n + 1]};
UNROLL
      for (int m = 0; m < 2; m++) {
        float dots[4];
        w.dot(m, halves, dots);
UNROLL
        for (int i = 0; i < 4; i++) {
          int row = 2 * m + i / 2;
          int j = i % 2;
          float &sum = acc[pair + n][row][j];
          sum = fma_rn(dots[i], mul_rn(w.d[row], s[j]), sum);
          if (F::OFFSET) {
            sum = fma_rn(w.offsets(row, sums[j]), mul_rn(w.b[row], s[j]), sum);
          }
        }
      }
    }
  }
}

template <class F, class T> DEVICE void matmul(const block_product_args &a) {
  const blocks_part part = a.parts[blockIdx.z];
  int count = *a.count;
  int first = static_cast<int>(blockIdx.y) * T::TOKENS;
  if (first >= count || static_cast<int>(blockIdx.x) * T::GROUPS * LANES >= part.rows) {
    return;
  }
  int group = warp() % T::GROUPS;
  int token = warp() / T::GROUPS * 8 * T::EIGHTS;
  bool needed = first + token < count && (static_cast<int>(blockIdx.x) * T::GROUPS + group) * LANES < part.rows;
  float acc[T::EIGHTS][4][2] = {};

  unsigned char *shared = dynamic_shared();
  constexpr int AHEAD = T::STAGES - 1;
  for (int stage = -AHEAD; stage * T::PIECES < part.count; stage++) {
    if (stage >= 0) {
      wait_async<AHEAD - 1>();
      sync_block(); /* all copies of this stage are there, and nobody reads the one before it any more */
    }
    copy_stage<F, T>(a, part, (stage + AHEAD) * T::PIECES, shared + (stage + AHEAD) % T::STAGES * Stage<F, T>::BYTES);
    commit_async();
    if (stage >= 0 && needed) {
      int pieces = min(T::PIECES, part.count - stage * T::PIECES);
UNROLL_BY(T::PIECES / 2)
      for (int piece = 0; piece < pieces; piece++) {
        add_piece<F, T>(shared + stage % T::STAGES * Stage<F, T>::BYTES, piece, group, token, acc);
      }
    }
  }
  if (!needed) {
    return;
  }
  int row = (static_cast<int>(blockIdx.x) * T::GROUPS + group) * LANES + lane() / 4 * 4;
UNROLL
  for (int i = 0; i < 8 * T::EIGHTS; i++) {
    int to = first + token + i / 8 * 8 + lane() % 4 * 2 + i % 2;
    int r = i % 8 / 2;
    if (to < count && row + r < part.rows) {
      int column = part.y_column + row + r;
      float sum = acc[i / 8][r][i % 2];
      a.y[(static_cast<long long>(blockIdx.z) * a.part_stride + to) * a.y_stride + column] =
          a.bias == nullptr ? sum : add_rn(sum, a.bias[column]);
    }
  }
}

/* The kernels of a type, which has a file of its own: another driver compiles only those of a model's types. */
#define PRODUCT(type, F) \
  using matmul_wide_##type##_args = block_product_args; \
  KERNEL(matmul_wide_##type, Wide::WARPS * LANES) { matmul<F, Wide>(a); } \
  using matmul_skinny_##type##_args = block_product_args; \
  KERNEL(matmul_skinny_##type, Skinny::WARPS * LANES) { matmul<F, Skinny>(a); }
