// The emulator's barriers that count bytes, copies of boxes, and products of what lies in shared memory.
#include "hopper.h"
#include "threads.h"

#include <deque>
#include <map>
#include <vector>

namespace emulator {

namespace {

constexpr size_t SWIZZLE_CHUNK = 16;
constexpr int COLUMNS_OF_STEP = 16; /* of a product */
constexpr unsigned THREADS = 4 * LANES_OF_WARP;

struct Barrier {
  int arrivals; /* of a phase */
  int missing;  /* of the current one */
  long bytes = 0; /* expected and not there yet, or, below 0, there before they were expected */
  unsigned phase = 0;
  bool published = false;
};

struct Product {
  float *sums;
  std::vector<float> before; /* what the sums were when it began, if no other was on its way */
  int columns;
  unsigned long long rows_of_a, columns_of_b;
  float (*widen)(unsigned short);
  bool done;
};

/* Of a block; forgotten with it. */
struct Block {
  uint64_t serial = 0;
  std::map<const void *, Barrier> barriers;
  std::map<unsigned, std::deque<std::vector<Product>>> products; /* of a thread, in groups; the last is not ended */
};

Block &block() {
  static Block own;
  if (own.serial != block_serial()) {
    own = Block();
    own.serial = block_serial();
  }
  return own;
}

Barrier &barrier_at(const void *at) {
  auto found = block().barriers.find(at);
  if (found == block().barriers.end()) {
    fault(running_name() + " uses a barrier that nobody has initialised");
  }
  return found->second;
}

void end_phase_if_all_is_there(Barrier &of) {
  if (of.missing == 0 && of.bytes == 0) {
    of.phase++;
    of.missing = of.arrivals;
  }
}

/* An offset in shared memory with the chunks of its line exchanged: bits 4 to 6 by bits 7 to 9 for lines of 128 bytes, bits 4 and 5 by 7 and
   8 for 64. */
size_t swizzled(size_t offset, size_t line) {
  return line == 0 ? offset : offset ^ (offset >> 3 & (line - SWIZZLE_CHUNK));
}

/* The elements of a box, swizzled, where its first byte comes to lie at this offset. */
template <class Element> void each_of_box(const Tensor &of, size_t offset, const int (&first)[3], Element element) {
  for (uint32_t z = 0; z < of.box[2]; z++) {
    for (uint32_t y = 0; y < of.box[1]; y++) {
      for (uint32_t x = 0; x < of.box[0]; x++) {
        int64_t at[3] = {first[0] + int64_t(x), first[1] + int64_t(y), first[2] + int64_t(z)};
        bool inside = true;
        uint64_t from = of.address;
        for (int i = 0; i < 3; i++) {
          inside &= at[i] >= 0 && at[i] < int64_t(of.lengths[i]);
          from += static_cast<uint64_t>(at[i]) * (i == 0 ? static_cast<uint64_t>(of.bytes) : of.strides[i - 1]);
        }
        size_t place = ((size_t(z) * of.box[1] + y) * of.box[0] + x) * static_cast<size_t>(of.bytes);
        element(swizzled(offset + place, static_cast<size_t>(of.swizzle)), inside ? reinterpret_cast<const char *>(from) : nullptr);
      }
    }
  }
}

struct Operand {
  size_t start, leading, stride;
  unsigned swizzle;
};

Operand unpacked(unsigned long long operand) {
  return {(operand & 0x3fff) << 4, (operand >> 16 & 0x3fff) << 4, (operand >> 32 & 0x3fff) << 4, static_cast<unsigned>(operand >> 62)};
}

unsigned short number_at(size_t offset) {
  const char *at = shared_at(offset);
  if (!in_shared(at, sizeof(unsigned short), sizeof(unsigned short))) {
    fault(running_name() + " multiplies what is not in shared memory");
  }
  unsigned short bits;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

/* 32 rows of a column side by side, eight columns below each other, and repetitions of both. */
unsigned short number_of_a(const Operand &a, int row, int column) {
  size_t offset = static_cast<size_t>(row) % 32 * 2 + static_cast<size_t>(row) / 32 * a.leading +
                  static_cast<size_t>(column) % 8 * 64 + static_cast<size_t>(column) / 8 * a.stride;
  return number_at(swizzled(a.start + offset, 64));
}

/* 16 numbers of a column side by side, eight columns below each other, and repetitions of the latter. */
unsigned short number_of_b(const Operand &b, int row, int column) {
  size_t offset = static_cast<size_t>(row) * 2 + static_cast<size_t>(column) % 8 * 128 + static_cast<size_t>(column) / 8 * b.stride;
  return number_at(swizzled(b.start + offset, 128));
}

/* The thread's own sums: ascending, each with one rounding; a device may add in another order and round otherwise. */
void multiply(const Product &product, const float *before, float *after) {
  Operand a = unpacked(product.rows_of_a);
  Operand b = unpacked(product.columns_of_b);
  int thread = static_cast<int>(running_number() % THREADS);
  int lane = thread % static_cast<int>(LANES_OF_WARP);
  float rows[2][COLUMNS_OF_STEP]; /* of a: every sum of the thread is of one of them */
  for (int i = 0; i < 2 * COLUMNS_OF_STEP; i++) {
    int row = thread / static_cast<int>(LANES_OF_WARP) * 16 + lane / 4 + i / COLUMNS_OF_STEP * 8;
    rows[i / COLUMNS_OF_STEP][i % COLUMNS_OF_STEP] = product.widen(number_of_a(a, row, i % COLUMNS_OF_STEP));
  }
  for (int j = 0; j < product.columns / 4; j++) {
    int column = j / 2 * 8 + lane % 4 * 2 + j % 2;
    int sum = j / 2 * 4 + j % 2;
    float up = before[sum];
    float down = before[sum + 2];
    for (int k = 0; k < COLUMNS_OF_STEP; k++) {
      float of_b = product.widen(number_of_b(b, k, column));
      up = std::fma(rows[0][k], of_b, up);
      down = std::fma(rows[1][k], of_b, down);
    }
    after[sum] = up;
    after[sum + 2] = down;
  }
}

std::deque<std::vector<Product>> &products_of_thread() {
  auto &groups = block().products[running_number()];
  if (groups.empty()) {
    groups.emplace_back();
  }
  return groups;
}

/* The products of these sums that are on their way. */
std::vector<Product *> pending(const float *sums) {
  std::vector<Product *> all;
  for (auto &group : products_of_thread()) {
    for (Product &product : group) {
      if (product.sums == sums) {
        all.push_back(&product);
      }
    }
  }
  return all;
}

} // namespace

void init_barrier(unsigned long long *of, int arrivals) {
  if (!in_shared(of, sizeof *of, sizeof *of) || arrivals < 1) {
    fault(running_name() + " initialises a barrier that is not in shared memory or waits for nobody");
  }
  block().barriers[of] = {arrivals, arrivals};
}

void publish_barriers() {
  for (auto &entry : block().barriers) {
    entry.second.published = true;
  }
}

void arrive(unsigned long long *at, long bytes) {
  Barrier &barrier = barrier_at(at);
  if (barrier.missing == 0) {
    fault(running_name() + " arrives at a barrier where all have arrived");
  }
  barrier.bytes += bytes;
  barrier.missing--;
  end_phase_if_all_is_there(barrier);
}

void wait_phase(unsigned long long *of, int odd, int line) {
  const Barrier &barrier = barrier_at(of);
  wait_until([&barrier, odd] { return static_cast<int>(barrier.phase % 2) != odd; }, "wait_phase", line);
}

void copy_box(void *shared, const void *map, const int (&first)[3], int rank, unsigned long long *at) {
  Tensor of;
  std::memcpy(&of, map, sizeof of);
  if (of.mark != TENSOR_MARK || of.rank != rank || reinterpret_cast<uintptr_t>(map) % alignof(tensor_map) != 0) {
    fault(running_name() + " copies by a map that is none, or of another rank");
  }
  size_t bytes = size_t(of.box[0]) * of.box[1] * of.box[2] * static_cast<size_t>(of.bytes);
  size_t alignment = of.swizzle == 0 ? 128 : static_cast<size_t>(of.swizzle) * 8; /* after which a swizzle repeats itself */
  if (!in_shared(shared, bytes, alignment)) {
    fault(running_name() + " copies a box to an address that is not aligned to " + std::to_string(alignment) +
          " bytes, or not to shared memory");
  }
  Barrier &barrier = barrier_at(at);
  if (!barrier.published) {
    fault(running_name() + " copies for a barrier that was not published");
  }
  std::memset(shared, UNWRITTEN, bytes);
  size_t offset = shared_offset(shared);
  int from[3] = {first[0], first[1], first[2]};
  do_beside([of, offset, from, bytes, &barrier] {
    each_of_box(of, offset, from, [&of](size_t place, const char *element) {
      char *to = const_cast<char *>(shared_at(place));
      if (element == nullptr) {
        std::memset(to, 0, static_cast<size_t>(of.bytes));
      } else {
        std::memcpy(to, element, static_cast<size_t>(of.bytes));
      }
    });
    barrier.bytes -= static_cast<long>(bytes);
    end_phase_if_all_is_there(barrier);
  });
}

unsigned long long operand(const void *shared, int leading, int stride, int swizzle) {
  return (shared_offset(shared) & 0x3ffff) >> 4 | static_cast<unsigned long long>(leading >> 4) << 16 |
         static_cast<unsigned long long>(stride >> 4) << 32 | static_cast<unsigned long long>(swizzle) << 62;
}

void begin_product(float *sums, int columns, unsigned long long rows_of_a, unsigned long long columns_of_b,
                   float (*widen)(unsigned short)) {
  Operand a = unpacked(rows_of_a);
  Operand b = unpacked(columns_of_b);
  if (a.swizzle != SWIZZLE_64 || b.swizzle != SWIZZLE_128 || a.start % 512 != 0 || b.start % 1024 >= 128) {
    fault(running_name() + " multiplies operands that do not lie as they should");
  }
  Product product = {sums, {}, columns, rows_of_a, columns_of_b, widen, false};
  if (pending(sums).empty()) {
    product.before.assign(sums, sums + columns / 2);
  }
  std::memset(sums, UNWRITTEN, sizeof(float) * static_cast<size_t>(columns / 2));
  /* Read now or when it is waited for: both are allowed. */
  if (schedule_of_run() % 2 == 0) {
    std::vector<float> now = product.before;
    if (now.empty()) {
      now = pending(sums).back()->before;
    }
    multiply(product, now.data(), now.data());
    product.before = now;
    product.done = true;
  }
  products_of_thread().back().push_back(product);
}

void commit_products() { products_of_thread().emplace_back(); }

void wait_products(int pending_groups, int line) {
  auto &groups = products_of_thread();
  while (groups.size() > static_cast<size_t>(pending_groups) + 1) {
    std::map<float *, std::vector<float>> reached;
    for (Product &product : groups.front()) {
      std::vector<float> &sums = reached[product.sums];
      if (!product.before.empty()) {
        sums = product.before;
      }
      if (!product.done) {
        multiply(product, sums.data(), sums.data());
      }
    }
    groups.pop_front();
    for (auto &entry : reached) {
      std::vector<Product *> later = pending(entry.first);
      if (later.empty()) {
        std::memcpy(entry.first, entry.second.data(), sizeof(float) * entry.second.size());
      } else if (!later.front()->done) {
        later.front()->before = entry.second;
      }
    }
  }
  meet("wait_products", line, nullptr, 0);
}

} // namespace emulator
