// The tiles of q3_k.
#include "matmul_tiles.h"

PRODUCT(q3_k, Q3_K)
