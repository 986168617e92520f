// Of every span of 256 ids the maximum and the sum of exp(x - maximum), by NUMERICS rule 5: of scaled logits and of the logits themselves,
// where they are asked for. A warp a span.
#include "candidates.h"

using span_sums_args = candidate_args;

constexpr int THREADS = 256;
constexpr int SPAN = 256;

KERNEL(span_sums, THREADS) {
  int row = static_cast<int>(blockIdx.y);
  int span = static_cast<int>(blockIdx.x) * (THREADS / LANES) + warp();
  int from = span * SPAN;
  if (row >= a.words[0] || from >= a.n) {
    return;
  }
  const candidate_query &query = query_of(a.words, row);
  bool of_logits = blockIdx.z == 1;
  int place = of_logits ? query.logit_spans : query.spans;
  if (place < 0) {
    return;
  }
  const float *x = of_logits ? a.logits + static_cast<long long>(row) * a.n : scores_of(query, a.logits, a.scaled, row, a.n);
  int to = min(a.n, from + SPAN);
  int most = INT_MIN;
  for (int i = from + lane(); i < to; i += LANES) {
    most = max(most, ordered(bits_of(x[i])));
  }
  for (int bits = LANES / 2; bits >= 1; bits /= 2) {
    most = max(most, shuffle_xor(most, bits));
  }
  float maximum = float_of(ordered(most));
  float sum = 0.0f;
  for (int i = from + lane(); i < to; i += LANES) {
    sum = add_rn(sum, exact_exp(sub_rn(x[i], maximum)));
  }
  sum = lane_sum(sum);
  if (lane() == 0) {
    float *sums = reinterpret_cast<float *>(a.results + place + 2 * span);
    sums[0] = maximum;
    sums[1] = sum;
  }
}
