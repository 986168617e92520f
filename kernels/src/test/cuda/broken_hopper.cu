// Kernels with a fault each in how they copy boxes and multiply them, beside sound ones.
#include "hopper.h"

/* w is [2][16 columns][32 rows], x [8 columns][64 numbers] of bf16, of which the first 16 are taken; y is [64 rows][8 columns]. */
struct tile_args {
  tensor_map w;
  tensor_map x;
  float *y;
};

#define TILE_ARGUMENTS(name) struct name##_args : tile_args {}

constexpr int W_BYTES = 2 * 16 * 64;
constexpr int X_BYTES = 8 * 128;

enum Fault {
  NONE,
  NO_WAIT_FOR_BOXES,
  NO_WAIT_FOR_PRODUCT,
  OVERWRITTEN_EARLY,
  NOT_PUBLISHED,
  NOT_INITIALISED,
  OUT_OF_LINE,
  TOO_MANY_ARRIVE,
  ENDS_EARLY,
  OTHER_PHASE,
  NO_MAP,
};

template <Fault fault> DEVICE void tile(const tile_args &a, barrier *full) {
  unsigned char *w = dynamic_shared();
  unsigned char *x = w + W_BYTES;
  if (threadIdx.x == 0) {
    if (fault != NOT_INITIALISED) {
      init_barrier(full, 1);
    }
    if (fault != NOT_PUBLISHED) {
      publish_barriers();
    }
  }
  sync_block();
  if (threadIdx.x == 0) {
    arrive_expecting(full, W_BYTES + X_BYTES);
    if (fault == TOO_MANY_ARRIVE) {
      arrive(full);
    }
    copy_box(w + (fault == OUT_OF_LINE ? 128 : 0), a.w, 0, 0, 0, full);
    copy_box(x, fault == NO_MAP ? a.w : a.x, 0, 0, full);
  }
  if (fault == ENDS_EARLY) {
    return;
  }
  if (fault != NO_WAIT_FOR_BOXES) {
    wait_phase(full, fault == OTHER_PHASE ? 1 : 0);
  }
  float sums[4] = {};
  begin_products();
  multiply_tiles_bf16(sums, operand(w, W_BYTES / 2, 8 * 64, SWIZZLE_64), operand(x, 16, 8 * 128, SWIZZLE_128));
  commit_products();
  if (fault == OVERWRITTEN_EARLY) {
    sync_block();
    if (threadIdx.x == 0) {
      arrive_expecting(full, X_BYTES);
      copy_box(x, a.x, 0, 8, full);
    }
  }
  if (fault == NO_WAIT_FOR_PRODUCT) {
    wait_products<1>();
  } else {
    wait_products<0>();
    products_done(sums);
  }
  for (int i = 0; i < 4; i++) {
    int row = warp() * 16 + lane() / 4 + i / 2 * 8;
    a.y[row * 8 + lane() % 4 * 2 + i % 2] = sums[i];
  }
  if (fault == OVERWRITTEN_EARLY) {
    wait_phase(full, 1);
  }
}

#define TILE(name, fault) \
  TILE_ARGUMENTS(name); \
  KERNEL(name, WARPGROUP) { \
    SHARED(barrier, full, 1); \
    tile<fault>(a, full); \
  }

TILE(sound_tile, NONE)
TILE(tile_without_wait_for_boxes, NO_WAIT_FOR_BOXES)
TILE(tile_without_wait_for_product, NO_WAIT_FOR_PRODUCT)
TILE(tile_overwritten_early, OVERWRITTEN_EARLY)
TILE(tile_with_unpublished_barrier, NOT_PUBLISHED)
TILE(tile_without_barrier, NOT_INITIALISED)
TILE(tile_out_of_line, OUT_OF_LINE)
TILE(tile_with_too_many_arrivals, TOO_MANY_ARRIVE)
TILE(tile_that_ends_early, ENDS_EARLY)
TILE(tile_of_another_phase, OTHER_PHASE)
TILE(tile_without_map, NO_MAP)
