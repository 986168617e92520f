// The tiles of mxfp4.
#include "matmul_tiles.h"

PRODUCT(mxfp4, Mxfp4)
