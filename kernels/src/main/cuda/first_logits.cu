// The first scores of rows, descending, the lower id first on a tie. Tiles of a row are sorted, then tiles of what is kept of these, until
// one tile is left, whose first ones are written. A score far below the largest cannot win and is left out: the REACH of Noise.
#include "candidates.h"

struct first_of_tiles_args {
  const float *logits;
  const float *scaled;
  const int *words;
  const int *results; /* the largest scores, which best_of_rows has written */
  Rank *kept;         /* [lists][tiles][keep] */
  int *reachable;     /* [lists][tiles] */
  int n;
  int first_id;
  int keep;
};

struct first_of_kept_args {
  const float *logits;
  const int *words;
  const Rank *ranks; /* [lists][count] */
  Rank *kept;        /* [lists][tiles][keep] */
  const int *reachable;
  int *results;
  int n;
  int first_id;
  int keep;
  int count;
  int pieces; /* counts in reachable for a list */
};

constexpr int THREADS = 256;
constexpr int TILE = 2048;
constexpr float REACH = 25.0f;
constexpr float REACH_HOLDS_BELOW = 0x1p20f;

DEVICE const candidate_list &list_of(const int *words, int list) {
  return reinterpret_cast<const candidate_list *>(words + words[2])[list];
}

/* Bitonic, descending, of a tile that has nothing behind the first `count`; all threads of the block. */
DEVICE void sort(Rank *ranks, int count) {
  int length = 2;
  while (length < count) {
    length *= 2;
  }
  for (int size = 2; size <= length; size *= 2) {
    for (int stride = size / 2; stride >= 1; stride /= 2) {
      for (int pair = static_cast<int>(threadIdx.x); pair < length / 2; pair += THREADS) {
        int i = 2 * pair - (pair & (stride - 1));
        int j = i + stride;
        Rank x = ranks[i];
        Rank y = ranks[j];
        if ((x < y) == ((i & size) == 0)) {
          ranks[i] = y;
          ranks[j] = x;
        }
      }
      /* Up to a stride of 32 a warp's pairs are always of the same 64 ranks. */
      int next = stride > 1 ? stride / 2 : size;
      if (max(stride, next) > LANES) {
        sync_block();
      } else {
        sync_warp();
      }
    }
  }
  sync_block();
}

/* A block a tile of the scores of a list's row. */
KERNEL(first_of_tiles, THREADS) {
  SHARED(Rank, ranks, TILE);
  int number = static_cast<int>(blockIdx.y);
  if (number >= a.words[1]) {
    return;
  }
  const candidate_list &list = list_of(a.words, number);
  const candidate_query &query = query_of(a.words, list.row);
  const float *logits = a.logits + static_cast<long long>(list.row) * a.n;
  const float *scores = list.of_logits ? logits : scores_of(query, a.logits, a.scaled, list.row, a.n);
  float largest = reinterpret_cast<const candidate_header *>(a.results + query.header)->score;
  bool bounded = !list.of_logits && fabsf(largest) < REACH_HOLDS_BELOW;
  float least = bounded ? sub_rn(largest, REACH) : -INFINITY;
  int from = static_cast<int>(blockIdx.x) * TILE;
  for (int i = static_cast<int>(threadIdx.x); i < TILE; i += THREADS) {
    bool there = from + i < a.n && scores[from + i] >= least;
    ranks[i] = there ? rank_of(scores[from + i], a.first_id + from + i) : 0;
  }
  sync_block();
  sort(ranks, min(TILE, a.n - from));
  long long tile = static_cast<long long>(number) * gridDim.x + blockIdx.x;
  for (int i = static_cast<int>(threadIdx.x); i < TILE; i += THREADS) {
    if (i < a.keep) {
      a.kept[tile * a.keep + i] = ranks[i];
    }
    if (ranks[i] != 0 && (i == TILE - 1 || ranks[i + 1] == 0)) {
      a.reachable[tile] = i + 1;
    }
  }
  if (threadIdx.x == 0 && ranks[0] == 0) {
    a.reachable[tile] = 0;
  }
}

/* A block a tile of what is left of a list; one that is alone ends it. */
KERNEL(first_of_kept, THREADS) {
  SHARED(Rank, ranks, TILE);
  int number = static_cast<int>(blockIdx.y);
  if (number >= a.words[1]) {
    return;
  }
  int from = static_cast<int>(blockIdx.x) * TILE;
  const Rank *given = a.ranks + static_cast<long long>(number) * a.count;
  for (int i = static_cast<int>(threadIdx.x); i < TILE; i += THREADS) {
    ranks[i] = from + i < a.count ? given[from + i] : 0;
  }
  sync_block();
  sort(ranks, min(TILE, a.count - from));
  if (gridDim.x > 1) {
    Rank *kept = a.kept + (static_cast<long long>(number) * gridDim.x + blockIdx.x) * a.keep;
    for (int i = static_cast<int>(threadIdx.x); i < a.keep; i += THREADS) {
      kept[i] = ranks[i];
    }
    return;
  }
  const candidate_list &list = list_of(a.words, number);
  const float *logits = a.logits + static_cast<long long>(list.row) * a.n;
  candidate *written = reinterpret_cast<candidate *>(a.results + list.place);
  for (int i = static_cast<int>(threadIdx.x); i < list.limit; i += THREADS) {
    Rank rank = ranks[i];
    written[i].id = rank == 0 ? -1 : id_of(rank);
    written[i].score = score_of(rank);
    written[i].logit = rank == 0 ? 0.0f : logits[id_of(rank) - a.first_id];
  }
  if (threadIdx.x == 0 && !list.of_logits) {
    int reachable = 0;
    for (int p = 0; p < a.pieces; p++) {
      reachable += a.reachable[static_cast<long long>(number) * a.pieces + p];
    }
    reinterpret_cast<candidate_header *>(a.results + query_of(a.words, list.row).header)->reachable = reachable;
  }
}
