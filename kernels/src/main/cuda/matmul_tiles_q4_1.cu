// The tiles of q4_1.
#include "matmul_tiles.h"

PRODUCT(q4_1, Q4_1)
