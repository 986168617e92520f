// What hopper.h gives a kernel when no nvcc compiles it. Copies of boxes and products go on beside the threads, as the schedule says; what
// is not there yet, and sums that are not waited for, are the bytes ff (NaN).
#pragma once

namespace emulator {

/* What the stand-in driver writes into a tensor_map. */
struct Tensor {
  uint32_t mark;
  int32_t rank;
  int32_t bytes; /* of an element */
  int32_t swizzle; /* bytes of a line of it, or 0 */
  uint64_t address;
  uint64_t strides[2]; /* bytes, of the second index on */
  uint32_t lengths[3];
  uint32_t box[3];
};

constexpr uint32_t TENSOR_MARK = 0x7e9502a1;

void init_barrier(unsigned long long *of, int arrivals);
void publish_barriers();
void arrive(unsigned long long *at, long bytes);
void wait_phase(unsigned long long *of, int odd, int line);
void copy_box(void *shared, const void *map, const int (&first)[3], int rank, unsigned long long *at);
unsigned long long operand(const void *shared, int leading, int stride, int swizzle);
void begin_product(float *sums, int columns, unsigned long long rows_of_a, unsigned long long columns_of_b,
                   float (*widen)(unsigned short));
void commit_products();
void wait_products(int pending, int line);

} // namespace emulator

DEVICE void init_barrier(barrier *of, int arrivals) { emulator::init_barrier(of, arrivals); }
DEVICE void publish_barriers() { emulator::publish_barriers(); }
DEVICE void arrive(barrier *at) { emulator::arrive(at, 0); }
DEVICE void arrive_expecting(barrier *at, int bytes) { emulator::arrive(at, bytes); }
DEVICE void wait_phase(barrier *of, int odd, int line = __builtin_LINE()) { emulator::wait_phase(of, odd, line); }

DEVICE void copy_box(void *shared, const tensor_map &map, int x, int y, barrier *at) {
  emulator::copy_box(shared, &map, {x, y, 0}, 2, at);
}
DEVICE void copy_box(void *shared, const tensor_map &map, int x, int y, int z, barrier *at) {
  emulator::copy_box(shared, &map, {x, y, z}, 3, at);
}

DEVICE void begin_products() {}
DEVICE void commit_products() { emulator::commit_products(); }
template <int pending> DEVICE void wait_products(int line = __builtin_LINE()) { emulator::wait_products(pending, line); }
template <int n> DEVICE void products_done(float (&)[n]) {}

DEVICE unsigned long long operand(const void *shared, int leading, int stride, int swizzle) {
  return emulator::operand(shared, leading, stride, swizzle);
}

template <int n> DEVICE void multiply_tiles_bf16(float (&d)[n], unsigned long long rows, unsigned long long columns) {
  emulator::begin_product(d, 2 * n, rows, columns,
                          [](unsigned short bits) { return float_of(static_cast<int>(static_cast<uint32_t>(bits) << 16)); });
}
template <int n> DEVICE void multiply_tiles_f16(float (&d)[n], unsigned long long rows, unsigned long long columns) {
  emulator::begin_product(d, 2 * n, rows, columns, half_to_float);
}
