#include "standin.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace standin {

std::recursive_mutex lock;
thread_local Device *current;

namespace {

constexpr size_t ALIGNMENT = 16; /* less than a real driver's 256: an overrun is met sooner */
constexpr int UNWRITTEN = 0xff;
constexpr unsigned char BEHIND = 0xa5;

thread_local std::string reason;

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

void protect(const Device &device, int protection) {
  for (const auto &entry : device.memory) {
    mprotect(entry.second.pages, entry.second.page_bytes, protection);
  }
}

} // namespace

long &setting(const std::string &name) {
  static std::map<std::string, long> values = [] {
    std::map<std::string, long> values = {{"devices", 1}, {"memory", 1l << 30}, {"schedule", 0},
                                          {"init", 0},    {"version", 12000},   {"capability", 90},
                                          {"cubins", 1},  {"broken", 0},
                                          {"fail_after", 0}, {"peers", 1},        {"pitch", 2147483647}};
    for (auto &entry : values) {
      std::string variable = "TROUPE_STANDIN_";
      for (char c : entry.first) {
        variable += static_cast<char>(std::toupper(c));
      }
      const char *value = std::getenv(variable.c_str());
      if (value != nullptr) {
        entry.second = std::atol(value);
      }
    }
    return values;
  }();
  return values[name];
}

long &counter(const std::string &name) {
  static std::map<std::string, long> counts;
  return counts[name];
}

Result refuse(Result result, const std::string &why) {
  reason = why;
  return result;
}

const char *reason_of(Result) { return reason.c_str(); }

Device *device(int number) {
  static std::map<int, Device> devices;
  if (number < 0 || number >= setting("devices")) {
    return nullptr;
  }
  Device &device = devices[number];
  device.number = number;
  return &device;
}

Access::Access(Device &device) : device(device) {
  if (device.opened++ == 0) {
    protect(device, PROT_READ | PROT_WRITE);
  }
}

Access::~Access() {
  if (--device.opened == 0) {
    protect(device, PROT_NONE);
  }
}

Result allocate(Device &device, size_t bytes, uintptr_t *address) {
  size_t most = static_cast<size_t>(setting("memory"));
  if (bytes == 0) {
    return refuse(INVALID_VALUE, "0 bytes of memory are asked for");
  }
  if (bytes > most || device.used > most - bytes) {
    return refuse(OUT_OF_MEMORY, "not so much is free");
  }
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t page_bytes = rounded(bytes, page);
  void *pages = mmap(nullptr, page_bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) {
    return refuse(OUT_OF_MEMORY, "the host has no more memory");
  }
  char *first = static_cast<char *>(pages);
  mprotect(first, page_bytes, PROT_READ | PROT_WRITE);
  char *start = first + page_bytes - rounded(bytes, ALIGNMENT);
  std::memset(start, UNWRITTEN, bytes);
  std::memset(start + bytes, BEHIND, static_cast<size_t>(first + page_bytes - start) - bytes);
  if (device.opened == 0) {
    mprotect(first, page_bytes, PROT_NONE);
  }
  *address = reinterpret_cast<uintptr_t>(start);
  device.memory[*address] = {first, page_bytes, start, bytes};
  device.used += bytes;
  counter("allocations")++;
  counter("bytes") += static_cast<long>(bytes);
  return SUCCESS;
}

Result release(Device &device, uintptr_t address) {
  auto found = device.memory.find(address);
  if (found == device.memory.end()) {
    return refuse(INVALID_VALUE, "no allocation starts at this address");
  }
  Allocation gone = found->second;
  device.memory.erase(found);
  munmap(gone.pages, gone.page_bytes + static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  device.used -= gone.bytes;
  counter("allocations")--;
  counter("bytes") -= static_cast<long>(gone.bytes);
  return SUCCESS;
}

bool holds(const Device &device, uintptr_t address, size_t bytes) {
  auto after = device.memory.upper_bound(address);
  if (after == device.memory.begin()) {
    return false;
  }
  const Allocation &found = std::prev(after)->second;
  size_t offset = address - reinterpret_cast<uintptr_t>(found.start);
  return offset <= found.bytes && bytes <= found.bytes - offset;
}

std::string overrun(const Device &device) {
  for (const auto &entry : device.memory) {
    const Allocation &memory = entry.second;
    for (char *p = memory.start + memory.bytes; p < memory.pages + memory.page_bytes; p++) {
      if (static_cast<unsigned char>(*p) != BEHIND) {
        return "it has written behind the " + std::to_string(memory.bytes) + " bytes of an allocation";
      }
    }
  }
  return "";
}

std::vector<Stream *> &streams() {
  static std::vector<Stream *> all;
  return all;
}

Result add(Stream &stream, Work work) {
  if (stream.capture != nullptr) {
    stream.capture->work.push_back(std::move(work));
    return SUCCESS;
  }
  stream.waiting.push_back(std::move(work));
  stream.added++;
  return SUCCESS;
}

Result run_until(Stream &stream, uint64_t done) {
  Access access(*stream.device);
  while (stream.done < done && !stream.waiting.empty()) {
    Work work = std::move(stream.waiting.front());
    stream.waiting.pop_front();
    if (stream.device->fault.empty()) {
      work();
    }
    stream.done++;
  }
  return stream.device->fault.empty() ? SUCCESS : refuse(LAUNCH_FAILED, stream.device->fault);
}

Result run_all(Device &device) {
  for (Stream *stream : streams()) {
    if (stream->device == &device) {
      run_until(*stream, stream->added);
    }
  }
  return device.fault.empty() ? SUCCESS : refuse(LAUNCH_FAILED, device.fault);
}

Result waits(Stream &stream) {
  if (stream.capture == nullptr) {
    return SUCCESS;
  }
  stream.capture_broken = true;
  return refuse(CAPTURE_UNSUPPORTED, "a stream that captures cannot be waited for");
}

Result outside_captures(const std::string &what) {
  Result result = SUCCESS;
  for (Stream *stream : streams()) {
    if (stream->capture != nullptr && stream->capturing == std::this_thread::get_id()) {
      stream->capture_broken = true;
      result = refuse(CAPTURE_UNSUPPORTED, what + " by a thread that captures");
    }
  }
  return result;
}

Result ready() {
  if (current == nullptr || current->retained == 0) {
    return refuse(INVALID_CONTEXT, "this thread has no current context");
  }
  return current->fault.empty() ? SUCCESS : refuse(LAUNCH_FAILED, current->fault);
}

Result ready(const Stream *stream) {
  Result result = ready();
  if (result != SUCCESS) {
    return result;
  }
  if (std::find(streams().begin(), streams().end(), stream) == streams().end()) {
    return refuse(INVALID_HANDLE, "there is no such stream");
  }
  return stream->device == current ? SUCCESS : refuse(INVALID_HANDLE, "the stream belongs to another device");
}

} // namespace standin

using namespace standin;

/* For tests, which find these beside the driver's own functions. */
extern "C" {

long standin_count(const char *name) {
  Guard guard(lock);
  return std::string(name) == "bank_conflicts" ? emulator::bank_conflicts : counter(name);
}

void standin_set(const char *name, long value) {
  Guard guard(lock);
  setting(name) = value;
}

/* Heals devices on which a kernel has failed. */
void standin_heal(void) {
  Guard guard(lock);
  for (int i = 0; device(i) != nullptr; i++) {
    device(i)->fault.clear();
  }
}
}
