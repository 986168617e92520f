// What the parts of the stand-in driver share: its devices and what lives on them.
#pragma once

#include "emulator.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace standin {

/* Results as cuda.h numbers them. */
enum Result {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  PEER_ACCESS_UNSUPPORTED = 217,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  PEER_ACCESS_ALREADY_ENABLED = 704,
  PEER_ACCESS_NOT_ENABLED = 705,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
};

/* One call at a time; kernels run inside of one. */
extern std::recursive_mutex lock;

/* A setting by its name: devices, memory (bytes of each), schedule, init (what cuInit answers), version (of the driver), capability
   (major * 10 + minor), cubins (whether it takes any), broken (every launch leaves one bit wrong; "broken:KERNEL" breaks one kernel),
   fail_after (the kernel that fails, counted from the next one; 0: none), peers (whether devices reach each other's memory),
   pitch (bytes from row to row at most of a copy). The variable TROUPE_STANDIN_NAME sets it too. */
long &setting(const std::string &name);

/* How many of a thing live, or have been since the start; "launches:KERNEL" counts those of a kernel. */
long &counter(const std::string &name);

/* Keeps an error and a sentence about it for cuGetErrorString. */
Result refuse(Result result, const std::string &why);
const char *reason_of(Result result);

/* A piece of device memory: pages of its own, whose last bytes it takes, so that what reads beyond them meets an unmapped page. */
struct Allocation {
  char *pages;
  size_t page_bytes;
  char *start;
  size_t bytes;
};

struct Device {
  int number;
  int retained = 0;
  size_t used = 0;
  int opened = 0;
  std::map<uintptr_t, Allocation> memory;
  std::set<const Device *> reached; /* devices whose memory it may use, until its context ends */
  std::string fault; /* once a kernel has failed, everything fails */
};

/* Null where there is no such device. */
Device *device(int number);

/* The current context of this thread, which is its device; null if there is none. */
extern thread_local Device *current;

/* While one lives, the memory of a device can be read and written; a host that reads at another time crashes. */
class Access {
public:
  explicit Access(Device &device);
  ~Access();
  Access(const Access &) = delete;

private:
  Device &device;
};

Result allocate(Device &device, size_t bytes, uintptr_t *address);
Result release(Device &device, uintptr_t address);
/* Whether these bytes lie in one allocation. */
bool holds(const Device &device, uintptr_t address, size_t bytes);
/* A sentence about an allocation that something wrote behind, or nothing. */
std::string overrun(const Device &device);

using Work = std::function<Result()>;

struct Graph {
  Device *device;
  std::vector<Work> work;
};

/* Work waits until somebody waits for it: what a real device may not have done yet, this one has not done. */
struct Stream {
  Device *device;
  std::deque<Work> waiting;
  uint64_t added = 0;
  uint64_t done = 0;
  Graph *capture = nullptr;
  std::thread::id capturing; /* the thread that does */
  bool capture_broken = false;
};

struct Event {
  Device *device;
  Stream *stream = nullptr; /* where it was recorded last, and after how much work */
  uint64_t after = 0;
  std::shared_ptr<std::chrono::steady_clock::time_point> reached = nullptr; /* null if it was made without timing */
};

/* Adds work to a stream, or to the graph that it captures. */
Result add(Stream &stream, Work work);
/* Does the work of a stream until so much is done. */
Result run_until(Stream &stream, uint64_t done);
/* Does all work of a device. */
Result run_all(Device &device);
/* An error if the stream captures, which it then does no more. */
Result waits(Stream &stream);
/* The same for every stream that this thread captures; what it cannot do is the start of the sentence. */
Result outside_captures(const std::string &what);

std::vector<Stream *> &streams();

using Guard = std::lock_guard<std::recursive_mutex>;

/* What every call that needs a context checks, and one that needs a stream. */
Result ready();
Result ready(const Stream *stream);

} // namespace standin
