// The tiles of q5_0.
#include "matmul_tiles.h"

PRODUCT(q5_0, Q5_0)
