// The tiles of q2_k.
#include "matmul_tiles.h"

PRODUCT(q2_k, Q2_K)
