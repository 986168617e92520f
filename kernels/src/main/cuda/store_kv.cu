// Keys and values of a step's tokens to their cache blocks (KvStore): keys [block][kv head][element][slot], values
// [block][kv head][slot][padded element]. Rounded to the cache's type, nearest even; what is not finite there is stored as 0, and its
// token fails. A thread an element.
#include "dev.h"

struct store_kv_args {
  void *keys;
  void *values;
  const float *qkv;
  const int *positions;
  const int *first;  /* of a token's block table, in tables */
  const int *tables;
  int *failed;
  const int *count;
  int stride; /* columns of qkv */
  int heads;  /* of queries */
  int kv_heads;
  int head_dim;
  int padded; /* head_dim as values have it */
  int block_size;
};

using store_kv_f32_args = store_kv_args;
using store_kv_f16_args = store_kv_args;

DEVICE bool store(float *memory, long long at, float x) {
  bool finite = (bits_of(x) & 0x7f800000) != 0x7f800000;
  memory[at] = finite ? x : 0.0f;
  return finite;
}

DEVICE bool store(unsigned short *memory, long long at, float x) {
  int half = half_bits(x);
  memory[at] = static_cast<unsigned short>(half == NOT_FINITE ? 0 : half);
  return half != NOT_FINITE;
}

template <class T> DEVICE void store_kv(const store_kv_args &a) {
  long long token = blockIdx.y;
  int column = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (token >= *a.count || column >= a.kv_heads * a.head_dim) {
    return;
  }
  int position = a.positions[token];
  int slot = position % a.block_size;
  long long block = a.tables[a.first[token] + position / a.block_size];
  int element = column % a.head_dim;
  long long head = block * a.kv_heads + column / a.head_dim;
  const float *key = a.qkv + token * a.stride + a.heads * a.head_dim + column;
  bool finite = store(static_cast<T *>(a.keys), (head * a.head_dim + element) * a.block_size + slot, key[0]);
  finite &= store(static_cast<T *>(a.values), (head * a.block_size + slot) * a.padded + element, key[a.kv_heads * a.head_dim]);
  if (!finite) {
    a.failed[token] = 1;
  }
}

KERNEL(store_kv_f32, 256) { store_kv<float>(a); }
KERNEL(store_kv_f16, 256) { store_kv<unsigned short>(a); }
