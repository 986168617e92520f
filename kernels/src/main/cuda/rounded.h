// Activations rounded for block-quantised weights, as round_activations.cu writes them and matmul_blocks.cu reads them.
#pragma once

#include "dev.h"

/* Columns that lie in one weight block and in one activation block (ColumnPieces). */
struct rounded_piece {
  int start;    /* first column, counted from the chunk's */
  int length;
  int position; /* of that column inside the weight block */
  int block;    /* first column of the activation block, which ends after 32 or with the chunk */
  int scales;   /* bytes from the start of a group of weights to the piece's scales */
  int codes;    /* and to its codes */
};

/* A piece of one token. */
struct rounded {
  int q[8];     /* four columns each, zeros where the piece has none */
  float scale;
  int sums[2];  /* of columns 0 to 15 and 16 to 31 of the weight block */
  int unused;
};
