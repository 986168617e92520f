// Where the products of fast kernels go.
#pragma once

#include "floats.h"
#include "split.h"

/* Of one token in a part, and in the chunk that the part is of. */
struct FastOutputs {
  float scale;
  float *y;
  const float *bias; /* or null */

  template <class Args>
  METHOD FastOutputs(const Args &a, const matmul_part &part, int chunk, int token)
      : scale(a.scales[static_cast<long long>(chunk) * a.tokens + token]),
        y(a.y + (static_cast<long long>(chunk) * a.part_stride + token) * a.y_stride + part.y_column),
        bias(a.bias == nullptr ? nullptr : a.bias + part.y_column) {}

  METHOD void store(int row, float sum) const {
    float product = mul_rn(sum, scale);
    y[row] = bias == nullptr ? product : add_rn(product, bias[row]);
  }
};
