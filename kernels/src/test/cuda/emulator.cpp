#include "threads.h"
#include "fiber.h"

#include <sys/mman.h>

#include <deque>
#include <random>
#include <vector>

namespace emulator {

Index thread_index, block_index, grid_size;
long bank_conflicts;

namespace {

constexpr unsigned MOST_THREADS = 1024;
constexpr size_t STACK_BYTES = 64 << 10;
constexpr size_t GUARD_BYTES = 4 << 10;
constexpr size_t SHARED_BYTES = 227 << 10;

enum class State { READY, AT_WARP, AT_BLOCK, UNTIL, ENDED };

struct Copy {
  void *to;
  const void *from;
  size_t bytes;
};

struct Thread {
  unsigned number;
  State state;
  const char *operation; /* what it waits at, and where */
  int line;
  unsigned meetings;
  Place place;
  std::deque<std::vector<Copy>> copies; /* a group each; the last is not ended */
  std::function<bool()> awaited; /* by a thread in UNTIL */
};

/* What the lanes of a warp brought to a meeting, and to the one before. */
struct Warp {
  alignas(16) char brought[2][LANES_OF_WARP * MOST_BROUGHT];
};

struct SharedArray {
  const void *key;
  size_t bytes;
  char *memory;
};

const Kernel *kernels;
const Kernel *running_kernel;
const void *running_arguments;
Thread threads[MOST_THREADS];
Warp warps[MOST_THREADS / LANES_OF_WARP];
unsigned thread_count;
Thread *running;
Place scheduler;
std::string fault_text;
alignas(1024) char shared_memory[SHARED_BYTES];
size_t shared_used;
std::vector<SharedArray> shared_arrays;
std::deque<std::function<void()>> beside; /* work of no thread */
uint64_t blocks_begun;
Schedule running_schedule;

std::string at(const Thread &thread) {
  if (thread.state == State::ENDED) {
    return "has ended";
  }
  return std::string("waits at ") + thread.operation + " in line " + std::to_string(thread.line);
}

std::string name_of(const Thread &thread) {
  return "thread " + std::to_string(thread.number) + " of block " + std::to_string(block_index.x) + ", " +
         std::to_string(block_index.y);
}

std::string named(const Thread &thread) { return name_of(thread) + " " + at(thread); }

char *stack_of(unsigned number) {
  static char *stacks = [] {
    size_t bytes = MOST_THREADS * STACK_BYTES;
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (unsigned i = 0; i < MOST_THREADS; i++) {
      mprotect(static_cast<char *>(memory) + i * STACK_BYTES, GUARD_BYTES, PROT_NONE);
    }
    return static_cast<char *>(memory);
  }();
  return stacks + number * STACK_BYTES;
}

void body_of_thread() {
  running_kernel->body(running_arguments);
  running->state = State::ENDED;
  switch_place(running->place, scheduler);
  __builtin_unreachable();
}

void wait_in(State state, const char *operation, int line) {
  running->state = state;
  running->operation = operation;
  running->line = line;
  switch_place(running->place, scheduler);
}

/* Lets threads `from` to `to` go on if all have come to this state; a fault if they can never do so. */
bool release(unsigned from, unsigned to, State state) {
  const Thread *waits = nullptr;
  const Thread *other = nullptr;
  bool all = true;
  for (unsigned i = from; i < to; i++) {
    if (threads[i].state != state) {
      all = false;
    } else if (waits == nullptr) {
      waits = &threads[i];
    } else if (threads[i].line != waits->line || std::strcmp(threads[i].operation, waits->operation) != 0) {
      other = &threads[i];
    }
    if (threads[i].state == State::ENDED) {
      other = &threads[i];
    }
  }
  if (waits != nullptr && other != nullptr) {
    throw Fault(named(*waits) + ", " + named(*other));
  }
  for (unsigned i = from; all && i < to; i++) {
    threads[i].state = State::READY;
  }
  return all;
}

/* The order in which threads get their turn. */
class Turns {
public:
  Turns(Schedule schedule, std::mt19937 &chance) : schedule(schedule), chance(chance), last(thread_count - 1) {}

  /* The next that is ready, or null. */
  Thread *next() {
    unsigned n = thread_count;
    unsigned start = 0;
    bool down = schedule == DOWNWARD || schedule == LAST_WARP;
    if (schedule == UPWARD || schedule == DOWNWARD) {
      start = (last + 1) % n;
    } else if (schedule == RANDOM) {
      start = chance() % n;
    }
    for (unsigned i = 0; i < n; i++) {
      unsigned turn = (start + i) % n;
      Thread &thread = threads[down ? n - 1 - turn : turn];
      if (thread.state == State::READY || (thread.state == State::UNTIL && thread.awaited())) {
        thread.state = State::READY;
        last = turn;
        return &thread;
      }
    }
    return nullptr;
  }

private:
  Schedule schedule;
  std::mt19937 &chance;
  unsigned last;
};

/* Does some of the work beside the threads, if it is its time; false if there is none or it can wait. */
bool work_beside(Schedule schedule, std::mt19937 &chance, bool threads_wait) {
  if (beside.empty() || !(threads_wait || schedule == UPWARD || (schedule == RANDOM && chance() % 16 == 0))) {
    return false;
  }
  size_t newest = beside.size() - 1;
  size_t chosen = schedule == RANDOM ? chance() % beside.size() : schedule == DOWNWARD || schedule == LAST_WARP ? newest : 0;
  std::function<void()> work = std::move(beside[chosen]);
  beside.erase(beside.begin() + static_cast<std::ptrdiff_t>(chosen));
  work();
  return true;
}

void run_block(Schedule schedule, std::mt19937 &chance, size_t launch_bytes) {
  blocks_begun++;
  running_schedule = schedule;
  beside.clear();
  shared_arrays.clear();
  shared_used = (launch_bytes + 15) / 16 * 16;
  std::memset(shared_memory, UNWRITTEN, shared_used);
  for (unsigned i = 0; i < thread_count; i++) {
    Thread &thread = threads[i];
    thread.number = i;
    thread.state = State::READY;
    thread.meetings = 0;
    thread.copies.assign(1, {});
    start_place(thread.place, stack_of(i), STACK_BYTES, body_of_thread);
  }
  Turns turns(schedule, chance);
  for (;;) {
    while (work_beside(schedule, chance, false), (running = turns.next()) != nullptr) {
      thread_index = {running->number, 0, 0};
      switch_place(scheduler, running->place);
      if (!fault_text.empty()) {
        throw Fault(fault_text);
      }
      if (running->state == State::AT_WARP || running->state == State::ENDED) {
        unsigned first = running->number / LANES_OF_WARP * LANES_OF_WARP;
        release(first, first + LANES_OF_WARP, State::AT_WARP);
      }
    }
    bool ended = true;
    for (unsigned i = 0; i < thread_count; i++) {
      ended &= threads[i].state == State::ENDED;
    }
    if (ended && !beside.empty()) {
      throw Fault("it ends before a copy that it has begun");
    }
    if (ended) {
      return;
    }
    if (work_beside(schedule, chance, true)) {
      continue;
    }
    if (!release(0, thread_count, State::AT_BLOCK)) {
      const Thread *block = nullptr;
      const Thread *warp = nullptr;
      for (unsigned i = 0; i < thread_count; i++) {
        (threads[i].state == State::AT_BLOCK ? block : warp) = &threads[i];
      }
      throw Fault("none can go on: " + named(block == nullptr ? *warp : *block) + ", " + named(*warp));
    }
  }
}

} // namespace

Kernel::Kernel(const char *name, unsigned threads, size_t argument_bytes, void (*body)(const void *))
    : name(name), threads(threads), argument_bytes(argument_bytes), body(body), next(kernels) {
  kernels = this;
}

const Kernel *find(const char *name) {
  for (const Kernel *kernel = kernels; kernel != nullptr; kernel = kernel->next) {
    if (std::strcmp(kernel->name, name) == 0) {
      return kernel;
    }
  }
  return nullptr;
}

void run(const Kernel &kernel, Index grid, size_t shared_bytes, const void *arguments, Schedule schedule) {
  running_kernel = &kernel;
  running_arguments = arguments;
  thread_count = kernel.threads;
  grid_size = grid;
  fault_text.clear();
  std::mt19937 chance(7);
  uint64_t blocks = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
  try {
    for (uint64_t i = 0; i < blocks; i++) {
      uint64_t block = schedule == DOWNWARD || schedule == LAST_WARP ? blocks - 1 - i : i;
      block_index = {static_cast<unsigned>(block % grid.x), static_cast<unsigned>(block / grid.x % grid.y),
                     static_cast<unsigned>(block / grid.x / grid.y)};
      run_block(schedule, chance, shared_bytes);
    }
  } catch (const Fault &e) {
    throw Fault(std::string("kernel ") + kernel.name + ": " + e.what());
  }
}

void fault(const std::string &text) {
  fault_text = text;
  Place nowhere;
  switch_place(nowhere, scheduler);
  __builtin_unreachable();
}

unsigned running_number() { return running->number; }

std::string running_name() { return name_of(*running); }

uint64_t block_serial() { return blocks_begun; }

Schedule schedule_of_run() { return running_schedule; }

bool in_shared(const void *from, size_t bytes, size_t alignment) {
  auto offset = reinterpret_cast<uintptr_t>(from) - reinterpret_cast<uintptr_t>(shared_memory);
  return offset % alignment == 0 && offset < shared_used && bytes <= shared_used - offset;
}

const char *shared_at(size_t offset) { return shared_memory + offset; }

size_t shared_offset(const void *of) { return static_cast<size_t>(static_cast<const char *>(of) - shared_memory); }

void wait_until(std::function<bool()> so, const char *operation, int line) {
  if (!so()) {
    running->awaited = std::move(so);
    wait_in(State::UNTIL, operation, line);
  }
}

void do_beside(std::function<void()> work) { beside.push_back(std::move(work)); }

void wait_for_block(int line) { wait_in(State::AT_BLOCK, "sync_block", line); }

const char *meet(const char *operation, int line, const void *brought, size_t bytes) {
  char *all = warps[running->number / LANES_OF_WARP].brought[running->meetings++ % 2];
  if (bytes > MOST_BROUGHT) {
    fault("a lane brings more than 64 bytes");
  }
  if (bytes > 0) {
    std::memcpy(all + running->number % LANES_OF_WARP * MOST_BROUGHT, brought, bytes);
  }
  wait_in(State::AT_WARP, operation, line);
  return all;
}

void *shared_array(const void *key, size_t bytes) {
  for (const SharedArray &array : shared_arrays) {
    if (array.key == key) {
      return array.memory;
    }
  }
  size_t start = (shared_used + 127) / 128 * 128;
  if (start + bytes > SHARED_BYTES) {
    fault("its shared arrays take more than " + std::to_string(SHARED_BYTES) + " bytes");
  }
  char *memory = shared_memory + start;
  std::memset(memory, UNWRITTEN, bytes);
  shared_used = start + bytes;
  shared_arrays.push_back({key, bytes, memory});
  return memory;
}

unsigned char *shared_of_launch() { return reinterpret_cast<unsigned char *>(shared_memory); }

MatrixRow row_of_matrix(const void *row) {
  if (!in_shared(row, ROW_BYTES, ROW_BYTES)) {
    fault("thread " + std::to_string(running->number) + " loads a row that is not aligned to 16 bytes or not in shared memory");
  }
  MatrixRow own = {row, {}};
  std::memcpy(own.bytes, row, ROW_BYTES);
  return own;
}

void count_bank_conflicts(const char *all) {
  if (running->number % LANES_OF_WARP != 0) {
    return;
  }
  constexpr int ROWS = 8;
  for (int i = 0; i < static_cast<int>(LANES_OF_WARP); i++) {
    auto own = reinterpret_cast<uintptr_t>(brought_by<MatrixRow>(all, i).from);
    for (int other = i / ROWS * ROWS; other < i; other++) {
      auto before = reinterpret_cast<uintptr_t>(brought_by<MatrixRow>(all, other).from);
      if (before != own && before / ROW_BYTES % ROWS == own / ROW_BYTES % ROWS) {
        bank_conflicts++;
        break;
      }
    }
  }
}

void start_copy(void *shared, const void *global, size_t bytes) {
  if (!in_shared(shared, bytes, bytes) || reinterpret_cast<uintptr_t>(global) % bytes != 0) {
    fault("thread " + std::to_string(running->number) +
          " copies from or to an address that is not aligned to " + std::to_string(bytes) + " bytes, or not to shared memory");
  }
  std::memset(shared, UNWRITTEN, bytes);
  running->copies.back().push_back({shared, global, bytes});
}

void end_copy_group() { running->copies.emplace_back(); }

void wait_for_copies(int pending) {
  while (running->copies.size() > static_cast<size_t>(pending) + 1) {
    for (const Copy &copy : running->copies.front()) {
      std::memcpy(copy.to, copy.from, copy.bytes);
    }
    running->copies.pop_front();
  }
}

} // namespace emulator
