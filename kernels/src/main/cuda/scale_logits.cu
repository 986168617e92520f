// Scaled logits: penalties and bias of some ids, then the temperature, then a value below all others for ids that are not allowed. Two
// kernels, the second for the ids that are adjusted.
#include "candidates.h"

using scale_logits_args = candidate_args;
using adjust_logits_args = candidate_args;

constexpr int THREADS = 256;

DEVICE float scaled_logit(const candidate_query &query, const int *words, int column, float logit) {
  bool allowed = query.allowed < 0 || (words[query.allowed + column / 32] >> (column % 32) & 1);
  return allowed ? div_rn(logit, query.temperature) : NOT_ALLOWED;
}

/* A block a piece of a row. */
KERNEL(scale_logits, THREADS) {
  int row = static_cast<int>(blockIdx.y);
  int i = static_cast<int>(blockIdx.x) * THREADS + static_cast<int>(threadIdx.x);
  if (row >= a.words[0] || i >= a.n) {
    return;
  }
  const candidate_query &query = query_of(a.words, row);
  if (query.scaled) {
    long long at = static_cast<long long>(row) * a.n + i;
    a.scaled[at] = scaled_logit(query, a.words, i, a.logits[at]);
  }
}

/* A thread an id. */
KERNEL(adjust_logits, THREADS) {
  int row = static_cast<int>(blockIdx.y);
  int i = static_cast<int>(blockIdx.x) * THREADS + static_cast<int>(threadIdx.x);
  if (row >= a.words[0] || i >= query_of(a.words, row).adjustments) {
    return;
  }
  const candidate_query &query = query_of(a.words, row);
  const logit_adjustment &adjustment = reinterpret_cast<const logit_adjustment *>(a.words + query.adjusted)[i];
  int column = adjustment.id - a.first_id;
  long long at = static_cast<long long>(row) * a.n + column;
  float z = a.logits[at];
  if (adjustment.kinds & SEEN) {
    z = z > 0.0f ? div_rn(z, query.repetition) : mul_rn(z, query.repetition);
  }
  if (adjustment.count > 0) {
    z = sub_rn(fma_rn(-query.frequency, static_cast<float>(adjustment.count), z), query.presence);
  }
  if (adjustment.kinds & BIASED) {
    z = add_rn(z, adjustment.bias);
  }
  a.scaled[at] = scaled_logit(query, a.words, column, z);
}
