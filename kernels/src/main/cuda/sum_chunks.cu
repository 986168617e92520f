// The fixed tree over the products of a row-parallel matrix's chunks (NUMERICS rule 3), as a stack machine (ChunkedMatrix): push the next
// product, add the upper two as often as said, and where a node ends write its sum. A thread an element.
#include "dev.h"

struct sum_chunks_args {
  const float *products; /* [chunks][bucket][rows] */
  const int *merges;     /* additions after each chunk */
  const int *ends;       /* node that ends with each chunk, or -1 */
  float *sums[12];       /* of each node, [tokens][rows] */
  const int *count;
  int chunks;
  int bucket;
  int rows;
};

constexpr int DEPTH = 8; /* enough for 2^7 chunks */

KERNEL(sum_chunks, 256) {
  int row = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  long long token = blockIdx.y;
  if (token >= *a.count || row >= a.rows) {
    return;
  }
  float stack[DEPTH] = {};
  for (int c = 0; c < a.chunks; c++) {
UNROLL
    for (int i = DEPTH - 1; i > 0; i--) {
      stack[i] = stack[i - 1];
    }
    stack[0] = a.products[(static_cast<long long>(c) * a.bucket + token) * a.rows + row];
    for (int merge = a.merges[c]; merge > 0; merge--) {
      stack[0] = add_rn(stack[1], stack[0]);
UNROLL
      for (int i = 1; i < DEPTH - 1; i++) {
        stack[i] = stack[i + 1];
      }
    }
    if (a.ends[c] >= 0) {
      a.sums[a.ends[c]][token * a.rows + row] = stack[0];
    }
  }
}
