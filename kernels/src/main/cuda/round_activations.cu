// Activations rounded for block-quantised weights (NUMERICS rule 2): s = max|x| / 127 and q = clamp(rint(x / s), -127, 127) for every 32
// columns from the chunk's start. Written for each piece of columns that lies in one weight block (ColumnPieces): 32 bytes as the weight
// block has its columns, zeros where the piece has none, then s and the sums of both halves. A warp a piece; z of the grid is a chunk.
#include "rounded.h"

struct round_chunk {
  const rounded_piece *pieces;
  int count;
  int columns;
  int x_column;
  int first;       /* place of its first piece among those of a token */
};

struct round_activations_args {
  const round_chunk *chunks;
  const float *x;
  rounded *to; /* [tokens][pieces of all chunks] */
  const int *count;
  int x_stride;
  int pieces;
  int nibbles; /* whether columns lie in the order 0, 2, 4, 6, 1, 3, 5, 7 of every 8: that of nibbles masked out of an int */
};

constexpr int WARPS = 4;

KERNEL(round_activations, WARPS * LANES) {
  long long token = blockIdx.y;
  const round_chunk chunk = a.chunks[blockIdx.z];
  int index = static_cast<int>(blockIdx.x) * WARPS + warp();
  if (token >= *a.count || index >= chunk.count) {
    return;
  }
  const rounded_piece piece = chunk.pieces[index];
  const float *x = a.x + token * a.x_stride + chunk.x_column;

  float most = piece.block + lane() < chunk.columns ? fabsf(x[piece.block + lane()]) : 0.0f;
  for (int bits = LANES / 2; bits >= 1; bits /= 2) {
    most = fmaxf(most, shuffle_xor(most, bits));
  }
  float s = div_rn(most, 127.0f);

  int at = lane() - piece.position;
  int q = 0;
  if (at >= 0 && at < piece.length && s != 0.0f) {
    float v = sub_rn(add_rn(div_rn(x[piece.start + at], s), 0x1.8p23f), 0x1.8p23f);
    q = static_cast<int>(fminf(fmaxf(v, -127.0f), 127.0f));
  }
  int sum = q;
  for (int bits = LANES / 4; bits >= 1; bits /= 2) {
    sum += shuffle_xor(sum, bits);
  }
  int upper = shuffle(sum, 16);
  /* Byte b of int i is column 4 i + b, or 8 (i / 2) + 2 b + i mod 2. */
  int word = 0;
  for (int b = 0; b < 4; b++) {
    int i = lane() % 8;
    int column = a.nibbles ? 8 * (i / 2) + 2 * b + i % 2 : 4 * i + b;
    word |= (shuffle(q, column) & 0xff) << (8 * b);
  }
  rounded *to = a.to + token * a.pieces + chunk.first + index;
  if (lane() < 8) {
    to->q[lane()] = word;
  }
  if (lane() == 0) {
    to->scale = s;
    to->sums[0] = sum;
    to->sums[1] = upper;
  }
}
