// The tiles of q6_k.
#include "matmul_tiles.h"

PRODUCT(q6_k, Q6_K)
