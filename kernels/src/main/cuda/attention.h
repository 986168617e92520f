// What both ways to attend share, see attention.cu.
#pragma once

#include "dev.h"

constexpr int SPAN = 128;
constexpr int MOST_HEAD_DIM = 256;
constexpr int LEAST_BLOCK = 16;

DEVICE float widen(float x) { return x; }
DEVICE float widen(unsigned short x) { return half_to_float(x); }

/* A span's maximum, which all lanes have, and its denominator, which lane 0 has. */
struct SpanSums {
  float maximum, denominator;
};

/* A warp makes exponentials of the scores p[from] to p[to] of a row, all less their maximum, in place. */
template <class Rows> DEVICE SpanSums weigh_span(Rows *p, int row, int from, int to) {
  float m = -INFINITY;
  for (int i = lane(); i <= to; i += LANES) {
    m = i < from ? m : fmaxf(m, p[i].of[row]);
  }
  for (int bits = LANES / 2; bits >= 1; bits /= 2) {
    m = fmaxf(m, shuffle_xor(m, bits));
  }
  float l = 0.0f;
  for (int i = lane(); i <= to; i += LANES) {
    if (i >= from) {
      float e = exact_exp(sub_rn(p[i].of[row], m));
      p[i].of[row] = e;
      l = add_rn(l, e);
    }
  }
  return {m, lane_sum(l)};
}
