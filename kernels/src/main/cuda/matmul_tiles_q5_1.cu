// The tiles of q5_1.
#include "matmul_tiles.h"

PRODUCT(q5_1, Q5_1)
