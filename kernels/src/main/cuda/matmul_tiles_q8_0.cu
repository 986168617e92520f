// The tiles of q8_0, and of iq4_nl, which is widened to it.
#include "matmul_tiles.h"

PRODUCT(q8_0, Bytes)
