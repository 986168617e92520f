// The products of matmul_fast.cu on compute capability 9.0, whose tensor cores read both operands from shared memory: one warp copies boxes of
// weights and activations to the stages of a ring, and warpgroups multiply them. Sums are added in the order of matmul_fast.cu's, in all
// three tiles.
//
// Weights lie in shared memory as they are packed: for each column the 32 rows of a group, which tensor cores take as rows in the packed order.
// Which row an output is of is said where it is stored.
#include "fast_outputs.h"
#include "hopper.h"

/* Warpgroups, 64-row products of each; tokens; lines of a stage, stages. */
template <int warpgroups, int sixty_fours, int tokens, int lines, int stages> struct Tile {
  static constexpr int WARPGROUPS = warpgroups, PRODUCTS = sixty_fours, TOKENS = tokens, LINES = lines, STAGES = stages;
  static constexpr int WARPS = warpgroups * WARPGROUP / LANES;
  static constexpr int THREADS = (WARPS + 1) * LANES; /* the last warp copies */
  static constexpr int GROUPS = 2 * warpgroups * sixty_fours;
  static constexpr int SUMS = tokens / 2; /* of a thread in a product */
};
using Wide = Tile<2, 2, 128, 1, 6>;
using Skinny = Tile<1, 1, 64, 2, 4>;
using Few = Tile<1, 1, 8, 4, 5>;

constexpr int COLUMN = 2 * LANES; /* bytes of a group */
constexpr int TOKEN = sizeof(split_line);
constexpr int STEP = 16;  /* columns of a product */
constexpr int BRICK = 8;  /* columns of weights, or tokens, after which a swizzle repeats itself or is half done */
constexpr int ALIGNMENT = 1024;

/* Parts of a launch. */
constexpr int PARTS = 16;

struct tile_product_args {
  tensor_map x;        /* [parts of x and tokens][lines of high and low], a box is a line of a tile's tokens */
  tensor_map w[PARTS]; /* [groups][columns][32 rows], a box is a tile's rows in a stage's lines */
  const matmul_part *parts;
  const float *scales; /* of tokens, by which products are multiplied */
  const float *bias;   /* or null */
  float *y;
  const int *count;
  int first_part; /* of this launch */
  int tokens;     /* from part to part of x, 0 where all have the same */
  int y_stride;
  int part_stride;
};

/* Bytes of a stage. */
template <class T> struct Stage {
  static constexpr int GROUP = T::LINES * LINE * COLUMN;
  static constexpr int WEIGHTS = T::GROUPS * GROUP;
  static constexpr int LINE_OF_TOKENS = T::TOKENS * TOKEN;
  static constexpr int BYTES = WEIGHTS + T::LINES * LINE_OF_TOKENS;
  static_assert(WEIGHTS % ALIGNMENT == 0 && LINE_OF_TOKENS % ALIGNMENT == 0, "every box begins where its swizzle does");
};

/* The copying thread: fills stages whenever they are free. */
template <class T>
DEVICE void copy_stages(const tile_product_args &a, int rounds, unsigned char *stages, barrier *full, barrier *empty) {
  int token = static_cast<int>(blockIdx.z + a.first_part) * a.tokens + static_cast<int>(blockIdx.x) * T::TOKENS;
  for (int round = 0; round < rounds; round++) {
    int stage = round % T::STAGES;
    unsigned char *to = stages + stage * Stage<T>::BYTES;
    wait_phase(&empty[stage], (round / T::STAGES + 1) % 2); /* of the first round the phase before, which has ended */
    arrive_expecting(&full[stage], Stage<T>::BYTES);
    int line = round * T::LINES;
    copy_box(to, a.w[blockIdx.z], 0, line * LINE, static_cast<int>(blockIdx.y) * T::GROUPS, &full[stage]);
UNROLL
    for (int i = 0; i < T::LINES; i++) {
      unsigned char *of = to + Stage<T>::WEIGHTS + i * Stage<T>::LINE_OF_TOKENS;
      copy_box(of, a.x, (line + i) * (2 * LINE), token, &full[stage]);
    }
  }
}

/* A line's products of a warpgroup whose first group this is. */
template <class W, class T> DEVICE void add_line(const unsigned char *stage, int line, int group, float (&sums)[T::PRODUCTS][T::SUMS]) {
UNROLL
  for (int half = 0; half < LINE / STEP; half++) {
    const unsigned char *w = stage + group * Stage<T>::GROUP + (line * LINE + half * STEP) * COLUMN;
    const unsigned char *x = stage + Stage<T>::WEIGHTS + line * Stage<T>::LINE_OF_TOKENS + half * STEP * 2;
UNROLL
    for (int term = 0; term < 2; term++) {
      unsigned long long columns = operand(x + term * LINE * 2, 16, BRICK * TOKEN, SWIZZLE_128);
UNROLL
      for (int m = 0; m < T::PRODUCTS; m++) {
        unsigned long long rows = operand(w + 2 * m * Stage<T>::GROUP, Stage<T>::GROUP, BRICK * COLUMN, SWIZZLE_64);
        W::multiply(sums[m], rows, columns);
      }
    }
  }
}

template <class T> DEVICE void store(const tile_product_args &a, const matmul_part &part, int group, const float (&sums)[T::PRODUCTS][T::SUMS]) {
  int count = *a.count;
  int chunk = static_cast<int>(blockIdx.z) + a.first_part;
  int first = static_cast<int>(blockIdx.x) * T::TOKENS + lane() % 4 * 2;
UNROLL
  for (int j = 0; j < T::TOKENS / 8 * 2; j++) {
    int token = first + j / 2 * 8 + j % 2;
    if (token < count) {
      FastOutputs outputs(a, part, chunk, token);
UNROLL
      for (int m = 0; m < T::PRODUCTS; m++) {
UNROLL
        for (int eight = 0; eight < 2; eight++) {
          int place = warp() % 4 * 16 + eight * 8 + lane() / 4; /* of 64, as rows are packed: 0, 16, 1, 17 and so on of each group */
          int row = (group + 2 * m + place / LANES) * LANES + place % LANES / 2 + place % 2 * (LANES / 2);
          if (row < part.rows) {
            outputs.store(row, sums[m][j / 2 * 4 + eight * 2 + j % 2]);
          }
        }
      }
    }
  }
}

template <class W, class T> DEVICE void matmul(const tile_product_args &a, barrier *full, barrier *empty) {
  const matmul_part part = a.parts[blockIdx.z + a.first_part];
  int first_group = static_cast<int>(blockIdx.y) * T::GROUPS;
  if (static_cast<int>(blockIdx.x) * T::TOKENS >= *a.count || first_group * LANES >= part.rows) {
    return;
  }
  unsigned char *shared = dynamic_shared();
  unsigned char *stages = shared + (ALIGNMENT - reinterpret_cast<uintptr_t>(shared) % ALIGNMENT) % ALIGNMENT;
  if (threadIdx.x == 0) {
    for (int i = 0; i < T::STAGES; i++) {
      init_barrier(&full[i], 1);
      init_barrier(&empty[i], T::WARPS);
    }
    publish_barriers();
  }
  sync_block();
  int rounds = (part.columns + T::LINES * LINE - 1) / (T::LINES * LINE);
  if (warp() == T::WARPS) {
    if (lane() == 0) {
      copy_stages<T>(a, rounds, stages, full, empty);
    }
    return;
  }

  int group = warp() / 4 * 2 * T::PRODUCTS;
  float sums[T::PRODUCTS][T::SUMS] = {};
  for (int round = 0; round < rounds; round++) {
    int stage = round % T::STAGES;
    wait_phase(&full[stage], round / T::STAGES % 2);
    begin_products();
UNROLL
    for (int line = 0; line < T::LINES; line++) {
      add_line<W, T>(stages + stage * Stage<T>::BYTES, line, group, sums); /* zeros behind the last column */
    }
    commit_products();
    wait_products<1>(); /* those of the stage before are done */
    if (round > 0 && lane() == 0) {
      arrive(&empty[(round - 1) % T::STAGES]);
    }
  }
  wait_products<0>();
UNROLL
  for (int m = 0; m < T::PRODUCTS; m++) {
    products_done(sums[m]);
  }
  store<T>(a, part, first_group + group, sums);
}

struct TilesOfBf16 {
  template <int n> static METHOD void multiply(float (&d)[n], unsigned long long rows, unsigned long long columns) {
    multiply_tiles_bf16(d, rows, columns);
  }
};

struct TilesOfF16 {
  template <int n> static METHOD void multiply(float (&d)[n], unsigned long long rows, unsigned long long columns) {
    multiply_tiles_f16(d, rows, columns);
  }
};

#define TILE_KERNEL(name, W, T) \
  using name##_args = tile_product_args; \
  KERNEL(name, T::THREADS) { \
    SHARED(barrier, full, T::STAGES); \
    SHARED(barrier, empty, T::STAGES); \
    matmul<W, T>(a, full, empty); \
  }

#define TILE_KERNELS(type, W) \
  TILE_KERNEL(matmul_fast_90a_wide_##type, W, Wide) \
  TILE_KERNEL(matmul_fast_90a_skinny_##type, W, Skinny) \
  TILE_KERNEL(matmul_fast_90a_few_##type, W, Few)

TILE_KERNELS(bf16, TilesOfBf16)
TILE_KERNELS(f16, TilesOfF16)
