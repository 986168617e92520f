// CUDA's threads on one thread of a plain CPU, for the tests of kernels: what dev.h gives a kernel when no nvcc compiles it, and how the
// stand-in driver starts one. Every CUDA thread is a fiber that runs until it waits for others, so a schedule decides who is first; a
// kernel that lacks a barrier gives other bits under one of them, or finds the bytes ff (a NaN) that fill memory nobody has written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <cmath>
#include <string>
#include <stdexcept>
#include <algorithm>

namespace emulator {

struct Index {
  unsigned x, y, z;
};

/* A kernel by its name; making one registers it. */
struct Kernel {
  Kernel(const char *name, unsigned threads, size_t argument_bytes, void (*body)(const void *arguments));

  const char *name;
  unsigned threads;
  size_t argument_bytes;
  void (*body)(const void *);
  const Kernel *next;
};

/* The kernel of this name, or null. */
const Kernel *find(const char *name);

/* What a kernel may not do: lanes that meet at different places, a wait for a thread that has ended, too much shared memory. */
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/* How the next thread to run is chosen, blocks and threads alike: each in turn, upward or downward, by chance, or greedily, where the
   first or last warp runs as far as it can. */
enum Schedule { UPWARD, DOWNWARD, RANDOM, FIRST_WARP, LAST_WARP, SCHEDULES };

/* Runs a grid to its end. Not for two threads at once. */
void run(const Kernel &kernel, Index grid, size_t shared_bytes, const void *arguments, Schedule schedule);

/* Where the running thread is. */
extern Index thread_index, block_index, grid_size;

void wait_for_block(int line);
void *shared_array(const void *key, size_t bytes);
unsigned char *shared_of_launch();
void start_copy(void *shared, const void *global, size_t bytes);
void end_copy_group();
void wait_for_copies(int pending);

constexpr size_t MOST_BROUGHT = 64;

/* Waits for the warp's other lanes, which must come to the same line. Gives what all 32 brought, MOST_BROUGHT bytes apart, until the
   next meeting but one. */
const char *meet(const char *operation, int line, const void *brought, size_t bytes);

/* Bytes of a row of a matrix that a lane loads. */
constexpr int ROW_BYTES = 16;

/* A row as a lane brings it to where a warp loads matrices: read when it comes, so that what other lanes have yet to write is missed. */
struct MatrixRow {
  const void *from;
  char bytes[ROW_BYTES];
};

/* What the running lane brings: a fault unless it lies aligned in the block's shared memory. */
MatrixRow row_of_matrix(const void *row);
/* Counts, once for a warp, the rows of each of four matrices that lie in the banks of another of its rows. */
void count_bank_conflicts(const char *all);
/* All that were counted. */
extern long bank_conflicts;

template <class T> T brought_by(const char *all, int lane) {
  T value;
  std::memcpy(&value, all + MOST_BROUGHT * lane, sizeof value);
  return value;
}

} // namespace emulator

#define DEVICE static inline
#define METHOD inline
#define KERNEL(name, threads)                                                                                                    \
  static void name##_body(const name##_args &a);                                                                                \
  static const emulator::Kernel name##_kernel(#name, threads, sizeof(name##_args), [](const void *arguments) {                  \
    name##_body(*static_cast<const name##_args *>(arguments));                                                                  \
  });                                                                                                                           \
  static void name##_body(const name##_args &a)
#define SHARED(type, name, count)                                                                                               \
  static const char name##_key = 0;                                                                                             \
  type(&name)[count] = *static_cast<type(*)[count]>(emulator::shared_array(&name##_key, sizeof(type[count])))

#define UNROLL
#define UNROLL_BY(rounds)
#define SHARED2(type, name, rows, columns)                                                                                      \
  static const char name##_key = 0;                                                                                             \
  type(&name)[rows][columns] = *static_cast<type(*)[rows][columns]>(emulator::shared_array(&name##_key, sizeof(type[rows][columns])))

#define threadIdx emulator::thread_index
#define blockIdx emulator::block_index
#define gridDim emulator::grid_size

using std::max;
using std::min;

struct alignas(16) float4 {
  float x, y, z, w;
};

struct alignas(8) int2 {
  int x, y;
};

struct alignas(16) int4 {
  int x, y, z, w;
};

DEVICE float add_rn(float a, float b) { return a + b; }
DEVICE float sub_rn(float a, float b) { return a - b; }
DEVICE float mul_rn(float a, float b) { return a * b; }
DEVICE float div_rn(float a, float b) { return a / b; }
DEVICE float sqrt_rn(float a) { return std::sqrt(a); }
DEVICE float fma_rn(float a, float b, float c) { return std::fma(a, b, c); }

DEVICE int bits_of(float x) {
  int bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

DEVICE float float_of(int bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

DEVICE void sync_block(int line = __builtin_LINE()) { emulator::wait_for_block(line); }
DEVICE void sync_warp(int line = __builtin_LINE()) { emulator::meet("sync_warp", line, nullptr, 0); }

template <class T> DEVICE T shuffle(T x, int lane, int line = __builtin_LINE()) {
  return emulator::brought_by<T>(emulator::meet("shuffle", line, &x, sizeof x), lane % 32);
}

template <class T> DEVICE T shuffle_down(T x, int by, int line = __builtin_LINE()) {
  const char *all = emulator::meet("shuffle_down", line, &x, sizeof x);
  int from = static_cast<int>(threadIdx.x % 32) + by;
  return from < 32 ? emulator::brought_by<T>(all, from) : x;
}

template <class T> DEVICE T shuffle_xor(T x, int bits, int line = __builtin_LINE()) {
  const char *all = emulator::meet("shuffle_xor", line, &x, sizeof x);
  return emulator::brought_by<T>(all, static_cast<int>(threadIdx.x % 32) ^ bits);
}

DEVICE unsigned char *dynamic_shared() { return emulator::shared_of_launch(); }
DEVICE void copy_async4(void *shared, const void *global) { emulator::start_copy(shared, global, 4); }
DEVICE void copy_async16(void *shared, const void *global) { emulator::start_copy(shared, global, 16); }
DEVICE void commit_async() { emulator::end_copy_group(); }
template <int pending> DEVICE void wait_async() { emulator::wait_for_copies(pending); }

DEVICE float half_to_float(unsigned short bits) {
  int exponent = bits >> 10 & 31;
  int fraction = bits & 1023;
  float x = exponent == 31  ? (fraction == 0 ? INFINITY : NAN)
            : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                            : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return bits >> 15 ? -x : x;
}

DEVICE int permute(int a, int b, int selector) {
  uint64_t bytes = static_cast<uint64_t>(static_cast<uint32_t>(b)) << 32 | static_cast<uint32_t>(a);
  uint32_t chosen = 0;
  for (int i = 0; i < 4; i++) {
    int nibble = selector >> (4 * i);
    auto byte = static_cast<int8_t>(bytes >> (8 * (nibble & 7)));
    chosen |= static_cast<uint32_t>((nibble & 8 ? byte >> 7 : byte) & 0xff) << (8 * i);
  }
  return static_cast<int>(chosen);
}

DEVICE int dot4(int a, int b, int c) {
  for (int shift = 0; shift < 32; shift += 8) {
    c += static_cast<int8_t>(a >> shift) * static_cast<int8_t>(b >> shift);
  }
  return c;
}

DEVICE void load_matrices(int (&to)[4], const void *row, int line = __builtin_LINE()) {
  emulator::MatrixRow own = emulator::row_of_matrix(row);
  const char *all = emulator::meet("load_matrices", line, &own, sizeof own);
  emulator::count_bank_conflicts(all);
  int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = 0; i < 4; i++) {
    auto from = emulator::brought_by<emulator::MatrixRow>(all, 8 * i + lane / 4);
    std::memcpy(&to[i], from.bytes + 4 * (lane % 4), 4);
  }
}

/* A lane's part of a, then of b. */
template <int registers> struct Fragments {
  int a[2 * registers], b[registers];
};

/* The products of 16 columns for each register of b. */
template <int registers> DEVICE void multiply_fragments(int (&d)[4], const Fragments<registers> &own, int c, int line) {
  const char *all = emulator::meet("multiply_matrices", line, &own, sizeof own);
  int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = 0; i < 4; i++) {
    int sum = c;
    for (int t = 0; t < 4; t++) {
      auto row = emulator::brought_by<Fragments<registers>>(all, lane / 4 * 4 + t);
      auto column = emulator::brought_by<Fragments<registers>>(all, (lane % 4 * 2 + i % 2) * 4 + t);
      for (int k = 0; k < registers; k++) {
        sum = dot4(row.a[2 * k + i / 2], column.b[k], sum);
      }
    }
    d[i] = sum;
  }
}

DEVICE void multiply_matrices(int (&d)[4], const int (&a)[4], const int (&b)[2], int c, int line = __builtin_LINE()) {
  multiply_fragments<2>(d, {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, c, line);
}

DEVICE void multiply_matrices(int (&d)[4], const int (&a)[2], int b, int c, int line = __builtin_LINE()) {
  multiply_fragments<1>(d, {{a[0], a[1]}, {b}}, c, line);
}

/* Sums of 16 columns, ascending, each with one rounding; a device may add in another order and round otherwise. */
template <class Widen> DEVICE void multiply_halves(float (&d)[4], const Fragments<2> &own, int line, Widen widen) {
  const char *all = emulator::meet("multiply_halves", line, &own, sizeof own);
  int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 16; k++) {
      int t = k % 8 / 2;
      int shift = k % 2 * 16;
      auto row = emulator::brought_by<Fragments<2>>(all, lane / 4 * 4 + t);
      auto column = emulator::brought_by<Fragments<2>>(all, (lane % 4 * 2 + i % 2) * 4 + t);
      auto a = static_cast<unsigned short>(row.a[k / 8 * 2 + i / 2] >> shift);
      auto b = static_cast<unsigned short>(column.b[k / 8] >> shift);
      d[i] = fma_rn(widen(a), widen(b), d[i]);
    }
  }
}

DEVICE void multiply_bf16(float (&d)[4], const int (&a)[4], const int (&b)[2], int line = __builtin_LINE()) {
  multiply_halves(d, {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, line,
                  [](unsigned short bits) { return float_of(static_cast<int>(static_cast<uint32_t>(bits) << 16)); });
}

DEVICE void multiply_f16(float (&d)[4], const int (&a)[4], const int (&b)[2], int line = __builtin_LINE()) {
  multiply_halves(d, {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, line, half_to_float);
}
