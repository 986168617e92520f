// The tiles of q4_k.
#include "matmul_tiles.h"

PRODUCT(q4_k, Q4_K)
