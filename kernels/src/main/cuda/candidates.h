// What the kernels share that search rows of logits for the candidates of a draw (NUMERICS rule 9): CandidateSearch writes their words.
#pragma once

#include "dev.h"

/* What is asked of one row. Places count words: of `words` where it is read, of `results` where it is written; negative for none. */
struct candidate_query {
  int header;        /* where a candidate_header is written */
  int spans;         /* where the sums over scaled logits are written, two for every span of ids */
  int logit_spans;   /* those over the logits themselves */
  int token;         /* column whose logit is wanted */
  int scaled;        /* whether scaled logits differ from the logits */
  int adjusted;      /* where its logit_adjustments stand */
  int adjustments;   /* how many */
  int allowed;       /* where the bits of allowed columns stand */
  int noisy;         /* whether noise is added to what is compared */
  int seed_low, seed_high, choice, position;
  float temperature, repetition, frequency, presence;
};

/* An id whose logit is changed before it is divided by the temperature. */
struct logit_adjustment {
  int id;
  int count; /* how often it is in the completion */
  int kinds; /* SEEN, BIASED */
  float bias;
};

constexpr int SEEN = 1;
constexpr int BIASED = 2;
constexpr float NOT_ALLOWED = -0x1.fffffep127f;

struct candidate_header {
  int finite_logits;
  int finite;    /* and the scaled ones */
  int reachable; /* scores that can win, where a list of the first was asked for */
  float token;   /* its logit */
  int id;        /* of the first candidate */
  float score;
  float logit;
};

/* A candidate in a list. */
struct candidate {
  int id; /* negative behind the last */
  float score;
  float logit;
};

/* A list of the first scores of a row. */
struct candidate_list {
  int row;
  int of_logits; /* of the logits themselves, all of them; else of scaled logits that can win */
  int limit;     /* how many are written */
  int place;     /* where they are written */
};

/* Of all these kernels. */
struct candidate_args {
  const float *logits; /* [rows, n] */
  float *scaled;       /* [rows, n] */
  const int *words;    /* number of rows, number of lists, where the lists stand, 0, queries, ... */
  int *results;
  int n;
  int first_id;
};

constexpr int FIRST_QUERY = 4;

DEVICE const candidate_query &query_of(const int *words, int row) {
  return reinterpret_cast<const candidate_query *>(words + FIRST_QUERY)[row];
}

/* What a row's columns are compared by, without noise. */
DEVICE const float *scores_of(const candidate_query &query, const float *logits, const float *scaled, int row, int n) {
  return (query.scaled ? scaled : logits) + static_cast<long long>(row) * n;
}

DEVICE bool is_finite(float x) { return (bits_of(x) & 0x7f800000) != 0x7f800000; }

/* A number whose signed order is that of floats, -0 before +0. */
DEVICE int ordered(int bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }

using Rank = unsigned long long;

/* Ranking.pair with its sign bit turned: larger is earlier, 0 is none. */
DEVICE Rank rank_of(float score, int id) {
  unsigned high = static_cast<unsigned>(ordered(bits_of(add_rn(score, 0.0f)))) ^ 0x80000000u;
  return static_cast<Rank>(high) << 32 | static_cast<unsigned>(~id);
}

DEVICE int id_of(Rank rank) { return ~static_cast<int>(static_cast<unsigned>(rank)); }
DEVICE float score_of(Rank rank) { return float_of(ordered(static_cast<int>(static_cast<unsigned>(rank >> 32) ^ 0x80000000u))); }
