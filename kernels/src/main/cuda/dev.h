// What a kernel may use, for nvcc and for a plain C++ compiler, which gets it from the emulator of the tests. A kernel is written as
//
//     struct scale_args { const float *x; float *y; const int *count; int n; float factor; };
//     KERNEL(scale, 256) { ... a.x[i] ... }
//
// with 256 threads a block. Its arguments are one struct: pointers first, then 4-byte numbers, so that Java can write it down field by
// field. Whatever rounds goes through the functions with _rn, each of which rounds once, to nearest even (docs/numerics.md); the compiler
// is told not to fuse either.
#pragma once

#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__

#define DEVICE __device__ __forceinline__
/* The same inside of a struct. */
#define METHOD __device__ __forceinline__
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ name##_args a)
/* An array that the threads of a block share; it holds nothing when the block starts. */
#define SHARED(type, name, count) __shared__ type name[count]
/* Before a loop whose bounds the compiler knows: wholly unrolled, or by so many rounds. */
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(rounds) _Pragma(TEXT(unroll rounds))
#define TEXT(words) #words
#define SHARED2(type, name, rows, columns) __shared__ type name[rows][columns]

DEVICE float add_rn(float a, float b) { return __fadd_rn(a, b); }
DEVICE float sub_rn(float a, float b) { return __fsub_rn(a, b); }
DEVICE float mul_rn(float a, float b) { return __fmul_rn(a, b); }
DEVICE float div_rn(float a, float b) { return __fdiv_rn(a, b); }
DEVICE float sqrt_rn(float a) { return __fsqrt_rn(a); }
/* a * b + c */
DEVICE float fma_rn(float a, float b, float c) { return __fmaf_rn(a, b, c); }
DEVICE int bits_of(float x) { return __float_as_int(x); }
DEVICE float float_of(int bits) { return __int_as_float(bits); }

/* All threads of the block, or all lanes of the warp, must come here. */
DEVICE void sync_block() { __syncthreads(); }
DEVICE void sync_warp() { __syncwarp(); }

/* What another lane of the warp brings: that of a number, that so many above (its own beyond the last), that whose number differs in
   these bits. All 32 lanes must take part. */
template <class T> DEVICE T shuffle(T x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
template <class T> DEVICE T shuffle_down(T x, int by) { return __shfl_down_sync(0xffffffffu, x, by); }
template <class T> DEVICE T shuffle_xor(T x, int bits) { return __shfl_xor_sync(0xffffffffu, x, bits); }

/* The block's shared memory whose size the launch says, aligned to 16 bytes. */
DEVICE unsigned char *dynamic_shared() {
  extern __shared__ __align__(16) unsigned char troupe_shared[];
  return troupe_shared;
}

/* Starts to copy 4 or 16 aligned bytes from global to shared memory. They are there for this thread after wait_async, for others after a
   barrier behind it. */
DEVICE void copy_async4(void *shared, const void *global) {
  unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(global) : "memory");
}
DEVICE void copy_async16(void *shared, const void *global) {
  unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(global) : "memory");
}
/* Ends a group of copies. */
DEVICE void commit_async() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* Waits for all groups but the last `pending`. */
template <int pending> DEVICE void wait_async() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }

/* The number that the bits of a binary16 stand for. */
DEVICE float half_to_float(unsigned short bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}
/* Four of the eight bytes of a and b (which has those from 4 on), by the four lowest nibbles of the selector, each 0 to 7, or that and 8
   for eight times the highest bit of such a byte. */
DEVICE int permute(int a, int b, int selector) { return __byte_perm(a, b, selector); }
/* The sum of the products of four signed bytes, plus c. */
DEVICE int dot4(int a, int b, int c) { return __dp4a(a, b, c); }

/* Four matrices of 8 rows of 16 bytes from shared memory; lane i gives the aligned address of row i % 8 of matrix i / 8, and gets of each
   the bytes from 4 (i % 4) on in row i / 4. */
DEVICE void load_matrices(int (&to)[4], const void *row) {
  unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

/* d = a * b + c in integers, by the 32 lanes together, for 16 rows of 32 signed bytes and 8 columns. With g = lane / 4 and t = lane % 4 a
   lane has, of four bytes each from k = 4 t on and from k = 16 + 4 t on: a[0], a[2] of row g, a[1], a[3] of row g + 8; b[0], b[1] of column
   g. It gets d[0], d[1] of row g and columns 2 t and 2 t + 1, d[2], d[3] of row g + 8. Every element of c is the same. */
DEVICE void multiply_matrices(int (&d)[4], const int (&a)[4], const int (&b)[2], int c) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
      : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(c));
}

/* The same for 16 columns: a[0], b from k = 4 t on. */
DEVICE void multiply_matrices(int (&d)[4], const int (&a)[2], int b, int c) {
  asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %7, %7, %7};"
      : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b), "r"(c));
}

/* d += a * b in f32, by the 32 lanes together, for 16 rows of 16 columns and 8 columns of b, of bf16 or f16, two in an int with the first in
   the low half. With g = lane / 4 and t = lane % 4 a lane has, from k = 2 t on: a[0] of row g, a[1] of row g + 8, b[0] of column g; from
   k = 8 + 2 t on a[2], a[3], b[1] of the same. d is placed as with bytes. In which order the exact products are added, and how sums are
   rounded, is the device's own. */
DEVICE void multiply_bf16(float (&d)[4], const int (&a)[4], const int (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEVICE void multiply_f16(float (&d)[4], const int (&a)[4], const int (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else
#include "emulator.h"
#endif

constexpr int LANES = 32;

DEVICE int lane() { return static_cast<int>(threadIdx.x) % LANES; }
DEVICE int warp() { return static_cast<int>(threadIdx.x) / LANES; }

/* The sum over the lanes of a warp in the order of NUMERICS rule 5: a[i] += a[i + 16], then 8, 4, 2, 1. Lane 0 has it. */
DEVICE float lane_sum(float a) {
  for (int half = LANES / 2; half >= 1; half /= 2) {
    a = add_rn(a, shuffle_down(a, half));
  }
  return a;
}

/* What half_bits has for all without a binary16. */
constexpr int NOT_FINITE = 0x7c00;

/* The bits of the nearest binary16, ties to even; NOT_FINITE for all without one. */
DEVICE int half_bits(float x) {
  int sign = static_cast<int>(static_cast<unsigned>(bits_of(x)) >> 16 & 0x8000u);
  int bits = bits_of(x) & 0x7fffffff;
  if (bits >= bits_of(65520.0f)) {
    return NOT_FINITE;
  }
  if (bits < bits_of(0x1p-14f)) {
    /* What follows 0.5 in its fraction counts the least subnormal, 2^-24. */
    return sign | (bits_of(add_rn(float_of(bits), 0.5f)) - bits_of(0.5f));
  }
  int even = bits + 0xfff + (bits >> 13 & 1);
  return sign | ((even - (112 << 23)) >> 13);
}

/* ExactMath.exp, operation by operation. */
DEVICE float exact_exp(float x) {
  if (x < -87.0f) {
    return 0.0f;
  }
  if (x > 0x1.62e42ep6f) {
    return float_of(0x7f800000);
  }
  if (x != x) {
    return float_of(0x7fc00000);
  }
  float t = fma_rn(x, 0x1.715476p0f, 0x1.8p23f);
  float n = sub_rn(t, 0x1.8p23f);
  float r = fma_rn(n, -0x1.63p-1f, x);
  r = fma_rn(n, 0x1.bd0106p-13f, r);
  float q = fma_rn(0x1.6a235p-10f, r, 0x1.123a6cp-7f);
  q = fma_rn(q, r, 0x1.5558f4p-5f);
  q = fma_rn(q, r, 0x1.55549p-3f);
  q = fma_rn(q, r, 0x1.fffffcp-2f);
  float p = add_rn(fma_rn(mul_rn(r, r), q, r), 1.0f);
  return float_of(bits_of(p) + static_cast<int>(static_cast<unsigned>(bits_of(t)) << 23));
}
