// The best score of rows, the lower id first on a tie, with noise where it is asked for, and whether all values are finite: by pieces of a
// row, then of the pieces.
#include "candidates.h"

struct best_of_pieces_args {
  const float *logits;
  const float *scaled;
  const int *words;
  Rank *ranks; /* [rows][pieces] */
  int *infinite; /* [rows][pieces]: 1 for a logit that is not finite, 2 for a scaled one */
  int n;
  int first_id;
};

struct best_of_rows_args {
  const float *logits;
  const int *words;
  const Rank *ranks;
  const int *infinite;
  int *results;
  int n;
  int first_id;
  int pieces;
};

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / LANES;
constexpr int PIECE = 4096;

/* Philox4x32-10 with this key and the counter (choice, position, id, 0): its first word. */
DEVICE unsigned random_bits(const candidate_query &query, int id) {
  unsigned k0 = static_cast<unsigned>(query.seed_low), k1 = static_cast<unsigned>(query.seed_high);
  unsigned c0 = static_cast<unsigned>(query.choice), c1 = static_cast<unsigned>(query.position);
  unsigned c2 = static_cast<unsigned>(id), c3 = 0;
  UNROLL
  for (int round = 0; round < 10; round++) {
    unsigned long long product0 = 0xD2511F53ull * c0;
    unsigned long long product1 = 0xCD9E8D57ull * c2;
    c0 = static_cast<unsigned>(product1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<unsigned>(product1);
    c2 = static_cast<unsigned>(product0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<unsigned>(product0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c0;
}

constexpr int SQRT_HALF_BITS = 0x3f3504f3;

/* ExactMath.logOfParts, operation by operation. */
DEVICE float log_of_parts(float f, int e) {
  float q = fma_rn(0x1.14572p-4f, f, -0x1.de3bf2p-4f);
  q = fma_rn(q, f, 0x1.e6f094p-4f);
  q = fma_rn(q, f, -0x1.fc221p-4f);
  q = fma_rn(q, f, 0x1.233766p-3f);
  q = fma_rn(q, f, -0x1.555c4ep-3f);
  q = fma_rn(q, f, 0x1.99a4b6p-3f);
  q = fma_rn(q, f, -0x1.000006p-2f);
  q = fma_rn(q, f, 0x1.555548p-2f);
  float square = mul_rn(f, f);
  float n = static_cast<float>(e);
  float y = mul_rn(mul_rn(square, f), q);
  y = fma_rn(n, -0x1.bd0106p-13f, y);
  y = fma_rn(-0.5f, square, y);
  return fma_rn(n, 0x1.63p-1f, add_rn(f, y));
}

/* ExactMath.log of a positive normal number. */
DEVICE float exact_log(float x) {
  int bits = bits_of(x);
  int e = (bits - SQRT_HALF_BITS) >> 23;
  float f = sub_rn(float_of(bits - static_cast<int>(static_cast<unsigned>(e) << 23)), 1.0f);
  return log_of_parts(f, e);
}

/* ExactMath.log1p of a number above -1 and below 0. */
DEVICE float exact_log1p(float x) {
  if (x > -0x1p-25f) {
    return x;
  }
  float u = add_rn(1.0f, x);
  float of_x = sub_rn(u, 1.0f);
  float lost = add_rn(sub_rn(1.0f, sub_rn(u, of_x)), sub_rn(x, of_x));
  int bits = bits_of(u);
  int e = (bits - SQRT_HALF_BITS) >> 23;
  float f = sub_rn(float_of(bits - static_cast<int>(static_cast<unsigned>(e) << 23)), 1.0f);
  f = fma_rn(lost, float_of(static_cast<int>(static_cast<unsigned>(127 - e) << 23)), f);
  return log_of_parts(f, e);
}

/* Noise.fromBits, operation by operation; what the logarithms get is at least 2^-31 and at most 31 ln 2. */
DEVICE float noise_of(unsigned bits) {
  float v = mul_rn(static_cast<float>(static_cast<int>(bits >> 1 | 1)), 0x1p-31f);
  v = v < 0x1.fffffep-1f ? v : 0x1.fffffep-1f;
  return -exact_log(-exact_log1p(-v));
}

DEVICE Rank best_of_warp(Rank best) {
  for (int bits = LANES / 2; bits >= 1; bits /= 2) {
    Rank other = shuffle_xor(best, bits);
    best = other > best ? other : best;
  }
  return best;
}

DEVICE int any_of_warp(int infinite) {
  for (int bits = LANES / 2; bits >= 1; bits /= 2) {
    infinite |= shuffle_xor(infinite, bits);
  }
  return infinite;
}

/* A block a piece of a row. */
KERNEL(best_of_pieces, THREADS) {
  SHARED(Rank, ranks, WARPS);
  SHARED(int, infinities, WARPS);
  int row = static_cast<int>(blockIdx.y);
  if (row >= a.words[0]) {
    return;
  }
  const candidate_query &query = query_of(a.words, row);
  const float *logits = a.logits + static_cast<long long>(row) * a.n;
  const float *scores = scores_of(query, a.logits, a.scaled, row, a.n);
  int from = static_cast<int>(blockIdx.x) * PIECE;
  int to = min(a.n, from + PIECE);
  Rank best = 0;
  int infinite = 0;
  for (int i = from + static_cast<int>(threadIdx.x); i < to; i += THREADS) {
    float score = scores[i];
    infinite |= (is_finite(logits[i]) ? 0 : 1) | (is_finite(score) ? 0 : 2);
    int id = a.first_id + i;
    Rank rank = rank_of(query.noisy ? add_rn(score, noise_of(random_bits(query, id))) : score, id);
    best = rank > best ? rank : best;
  }
  best = best_of_warp(best);
  infinite = any_of_warp(infinite);
  if (lane() == 0) {
    ranks[warp()] = best;
    infinities[warp()] = infinite;
  }
  sync_block();
  if (threadIdx.x == 0) {
    for (int w = 1; w < WARPS; w++) {
      best = ranks[w] > best ? ranks[w] : best;
      infinite |= infinities[w];
    }
    long long at = static_cast<long long>(row) * gridDim.x + blockIdx.x;
    a.ranks[at] = best;
    a.infinite[at] = infinite;
  }
}

/* A warp a row. */
KERNEL(best_of_rows, LANES) {
  int row = static_cast<int>(blockIdx.x);
  if (row >= a.words[0]) {
    return;
  }
  const candidate_query &query = query_of(a.words, row);
  const float *logits = a.logits + static_cast<long long>(row) * a.n;
  Rank best = 0;
  int infinite = 0;
  for (int p = lane(); p < a.pieces; p += LANES) {
    long long at = static_cast<long long>(row) * a.pieces + p;
    best = a.ranks[at] > best ? a.ranks[at] : best;
    infinite |= a.infinite[at];
  }
  best = best_of_warp(best);
  infinite = any_of_warp(infinite);
  if (lane() == 0) {
    candidate_header &header = *reinterpret_cast<candidate_header *>(a.results + query.header);
    header.finite_logits = (infinite & 1) == 0;
    header.finite = infinite == 0;
    header.token = query.token < 0 ? 0.0f : logits[query.token];
    header.id = id_of(best);
    header.score = score_of(best);
    header.logit = logits[id_of(best) - a.first_id];
  }
}
