// What the parts of the emulator share: the thread that runs, and work that goes on beside threads.
#pragma once

#include "emulator.h"

#include <functional>

namespace emulator {

constexpr unsigned LANES_OF_WARP = 32;
/* Every byte of memory that nobody has written: four are a NaN. */
constexpr int UNWRITTEN = 0xff;

/* The number of the running thread in its block. */
unsigned running_number();
/* "thread 3 of block 0, 0", the one that runs. */
std::string running_name();
/* How many blocks have begun so far. */
uint64_t block_serial();
Schedule schedule_of_run();
/* Ends the grid from inside a thread, which never runs again. */
[[noreturn]] void fault(const std::string &text);
/* Whether bytes have this alignment and lie in what the block shares. */
bool in_shared(const void *from, size_t bytes, size_t alignment);
/* What lies so many bytes into the block's shared memory. */
const char *shared_at(size_t offset);
size_t shared_offset(const void *of);

/* Lets others run until something is so. */
void wait_until(std::function<bool()> so, const char *operation, int line);

/* Work that is done at some time beside the threads of the block, in any order; the schedule says when: as soon as it can be, by chance, or
   when no thread can go on, oldest or newest first. */
void do_beside(std::function<void()> work);

} // namespace emulator
