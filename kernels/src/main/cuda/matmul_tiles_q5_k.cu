// The tiles of q5_k.
#include "matmul_tiles.h"

PRODUCT(q5_k, Q5_K)
