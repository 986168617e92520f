// Activations as two terms of bf16 or f16, which are their sum but for its last bits: as split_activations.cu writes them and matmul_fast.cu
// and matmul_fast_90a.cu read them. Columns of a part come in lines of 32; behind the last column are zeros, to the end of the longest part.
#pragma once

#include "dev.h"

constexpr int LINE = 32; /* columns */

struct split_line {
  unsigned short high[LINE];
  unsigned short low[LINE];
};
