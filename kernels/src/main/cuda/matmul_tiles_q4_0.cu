// The tiles of q4_0.
#include "matmul_tiles.h"

PRODUCT(q4_0, Q4_0)
