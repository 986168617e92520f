// What a kernel for compute capability 9.0 alone may use beside dev.h: copies of whole boxes of a tensor to shared memory, barriers that count
// the bytes of such copies, and products that four warps make of what lies there. Nothing newer than PTX 8.0.
#pragma once

#include "dev.h"

/* Four warps, the first of which has a number that four divides. */
constexpr int WARPGROUP = 4 * LANES;

/* How a tensor lies in global memory and how boxes of it are copied, as cuTensorMapEncodeTiled writes it; an argument of the kernel. */
struct alignas(64) tensor_map {
  unsigned char opaque[128];
};

/* Lies in shared memory. It is in phase 0, then 1, 2 and so on; a phase ends when all have arrived and all expected bytes are there. */
using barrier = unsigned long long;

/* How the 16-byte chunks of 64 or 128 bytes are exchanged with those of other lines: the same for copies and products. */
constexpr int SWIZZLE_128 = 1;
constexpr int SWIZZLE_64 = 2;

#ifdef __CUDACC__

DEVICE unsigned shared_address(const void *shared) { return static_cast<unsigned>(__cvta_generic_to_shared(shared)); }

/* By one thread, before publish_barriers and a barrier of the block. */
DEVICE void init_barrier(barrier *of, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(of)), "r"(arrivals) : "memory");
}
/* Lets copies know of the barriers that this thread has initialised. */
DEVICE void publish_barriers() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
DEVICE void arrive(barrier *at) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(at)) : "memory"); }
/* Arrives, and says how many bytes copies bring in this phase. */
DEVICE void arrive_expecting(barrier *at, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(at)), "r"(bytes) : "memory");
}
/* Waits for the end of a phase that is even or odd: of the current one, or the one before. */
DEVICE void wait_phase(barrier *of, int odd) {
  int ended;
  do {
    asm volatile("{\n"
                 ".reg .pred ended;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 ended, [%1], %2;\n"
                 "selp.s32 %0, 1, 0, ended;\n"
                 "}"
                 : "=r"(ended)
                 : "r"(shared_address(of)), "r"(odd)
                 : "memory");
  } while (ended == 0);
}

/* Starts to copy a box whose first element has these indices, the fastest first. What lies outside of the tensor are zeros. All its bytes
   count at the barrier when they are there. */
DEVICE void copy_box(void *shared, const tensor_map &map, int x, int y, barrier *at) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
                   shared_address(shared)),
               "l"(&map), "r"(x), "r"(y), "r"(shared_address(at))
               : "memory");
}
DEVICE void copy_box(void *shared, const tensor_map &map, int x, int y, int z, barrier *at) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(
                   shared_address(shared)),
               "l"(&map), "r"(x), "r"(y), "r"(z), "r"(shared_address(at))
               : "memory");
}

/* Before the first product of a group. */
DEVICE void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/* Ends a group of products. */
DEVICE void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/* Waits for all groups but the last `pending`: what they read may be overwritten. */
template <int pending> DEVICE void wait_products() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory"); }
/* Behind the wait for the last products, before sums are read: the compiler moves nothing before it. */
template <int n> DEVICE void products_done(float (&sums)[n]) {
UNROLL
  for (int i = 0; i < n; i++) {
    asm volatile("" : "+f"(sums[i])::"memory");
  }
}

/* Where an operand lies in shared memory; the two distances mean what the kind of operand says. */
DEVICE unsigned long long operand(const void *shared, int leading, int stride, int swizzle) {
  return static_cast<unsigned long long>((shared_address(shared) & 0x3ffffu) >> 4) |
         static_cast<unsigned long long>(leading >> 4) << 16 | static_cast<unsigned long long>(stride >> 4) << 32 |
         static_cast<unsigned long long>(swizzle) << 62;
}

#define SUMS4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SUMS16(i) SUMS4(i), SUMS4(i + 4), SUMS4(i + 8), SUMS4(i + 12)
#define NAMES4 "%0, %1, %2, %3"
#define NAMES32 \
  NAMES4 ", %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, " \
         "%29, %30, %31"
#define NAMES64 \
  NAMES32 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, " \
          "%55, %56, %57, %58, %59, %60, %61, %62, %63"
/* Names and operands of the sums, and the numbers of the two operands behind them. */
#define TILE_PRODUCT(type, n, names, a, b, ...) \
  DEVICE void multiply_tiles_##type(float (&d)[n / 2], unsigned long long rows, unsigned long long columns) { \
    asm volatile("{\n" \
                 ".reg .pred add;\n" \
                 "setp.ne.b32 add, 1, 0;\n" \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." #type "." #type " {" names "}, %" #a ", %" #b \
                 ", add, 1, 1, 1, 0;\n" \
                 "}" \
                 : __VA_ARGS__ \
                 : "l"(rows), "l"(columns)); \
  }
#define TILE_PRODUCTS(type) \
  TILE_PRODUCT(type, 8, NAMES4, 4, 5, SUMS4(0)) \
  TILE_PRODUCT(type, 64, NAMES32, 32, 33, SUMS16(0), SUMS16(16)) \
  TILE_PRODUCT(type, 128, NAMES64, 64, 65, SUMS16(0), SUMS16(16), SUMS16(32), SUMS16(48))

/* d += a * b in f32, by a warpgroup, for 64 rows of 16 columns and n columns of b, of bf16 or f16; in which order they are added is the device's
   own. It begins here, and is done when its group was waited for. With w, g and t the thread's warp in the group, lane / 4 and lane % 4,
   d[4 j] and d[4 j + 1] are of row 16 w + g and the columns 8 j + 2 t and the next, d[4 j + 2] and d[4 j + 3] of the same columns and row
   16 w + g + 8.
   a lies by columns: 32 rows of one after those of the other, `stride` bytes from eight columns to the next eight, `leading` bytes from 32 rows
   to the next 32, swizzled by 64. b lies by its columns: 16 numbers of one, 128 bytes to the next, `stride` bytes from eight of them to
   the next eight, swizzled by 128. */
TILE_PRODUCTS(bf16)
TILE_PRODUCTS(f16)

#else
#include "emulator_hopper.h"
#endif
