// A libcuda.so.1 without a GPU: the functions of NVIDIA's driver that Troupe calls, over the memory of the host, with kernels run by the
// emulator. It is stricter than a driver where it can be: work is put off until somebody waits for it, memory crashes whoever reads it
// from outside of a call, a launch must have the kernel's own block size and size of arguments. Here: devices and memory.
#include "standin.h"

#include <cstdio>

using namespace standin;

namespace {

constexpr const char *MEMORY = "memory cannot be taken or given back";
constexpr int SHARED_AT_MOST = 227 << 10;
constexpr int L2_BYTES = 1 << 20;

Result on_device(const Device &device, uintptr_t address, size_t bytes) {
  return holds(device, address, bytes) ? SUCCESS
                                       : refuse(INVALID_VALUE, "the bytes do not lie in one allocation of this device");
}

} // namespace

extern "C" {

Result cuInit(unsigned) {
  Guard guard(lock);
  if (setting("init") != 0) {
    return refuse(static_cast<Result>(setting("init")), "the stand-in is told to fail");
  }
  return setting("devices") == 0 ? refuse(NO_DEVICE, "the stand-in has none") : SUCCESS;
}

Result cuDriverGetVersion(int *version) {
  *version = static_cast<int>(setting("version"));
  return SUCCESS;
}

Result cuGetErrorName(Result result, const char **name) {
  static const std::map<Result, const char *> names = {{SUCCESS, "CUDA_SUCCESS"},
                                                       {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
                                                       {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                       {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"},
                                                       {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
                                                       {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
                                                       {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"},
                                                       {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
                                                       {PEER_ACCESS_UNSUPPORTED, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED"},
                                                       {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
                                                       {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
                                                       {NOT_READY, "CUDA_ERROR_NOT_READY"},
                                                       {PEER_ACCESS_ALREADY_ENABLED, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED"},
                                                       {PEER_ACCESS_NOT_ENABLED, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED"},
                                                       {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED"},
                                                       {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"},
                                                       {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
                                                       {CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"}};
  auto found = names.find(result);
  *name = found == names.end() ? nullptr : found->second;
  return found == names.end() ? INVALID_VALUE : SUCCESS;
}

Result cuGetErrorString(Result result, const char **text) {
  *text = reason_of(result);
  return SUCCESS;
}

Result cuDeviceGetCount(int *count) {
  *count = static_cast<int>(setting("devices"));
  return SUCCESS;
}

Result cuDeviceGet(int *number, int ordinal) {
  *number = ordinal;
  return device(ordinal) == nullptr ? refuse(INVALID_DEVICE, "there is no such device") : SUCCESS;
}

Result cuDeviceGetName(char *name, int length, int number) {
  std::snprintf(name, static_cast<size_t>(length), "Stand-in %d", number);
  return SUCCESS;
}

Result cuDeviceGetAttribute(int *value, int attribute, int number) {
  if (device(number) == nullptr) {
    return refuse(INVALID_DEVICE, "there is no such device");
  }
  int capability = static_cast<int>(setting("capability"));
  static const std::map<int, int> values = {{1, 1024}, {10, 32}, {16, 4}, {38, L2_BYTES}, {97, SHARED_AT_MOST}};
  auto found = values.find(attribute);
  if (attribute == 11) {
    *value = static_cast<int>(setting("pitch"));
    return SUCCESS;
  }
  *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : found == values.end() ? 0 : found->second;
  return SUCCESS;
}

Result cuDeviceTotalMem_v2(size_t *bytes, int) {
  *bytes = static_cast<size_t>(setting("memory"));
  return SUCCESS;
}

Result cuDevicePrimaryCtxRetain(Device **context, int number) {
  Guard guard(lock);
  *context = device(number);
  if (*context == nullptr) {
    return refuse(INVALID_DEVICE, "there is no such device");
  }
  (*context)->retained++;
  counter("contexts")++;
  return SUCCESS;
}

Result cuDevicePrimaryCtxRelease_v2(int number) {
  Guard guard(lock);
  Device *of = device(number);
  if (of == nullptr || of->retained == 0) {
    return refuse(INVALID_CONTEXT, "it was not retained");
  }
  if (--of->retained == 0) {
    of->reached.clear();
  }
  counter("contexts")--;
  return SUCCESS;
}

Result cuCtxSetCurrent(Device *context) {
  current = context;
  return SUCCESS;
}

Result cuCtxGetCurrent(Device **context) {
  *context = current;
  return SUCCESS;
}

Result cuCtxSynchronize(void) {
  Guard guard(lock);
  Result result = ready();
  return result == SUCCESS ? run_all(*current) : result;
}

/* Two devices reach each other; more than two do not reach across pairs. */
Result cuDeviceCanAccessPeer(int *can, int from, int to) {
  if (device(from) == nullptr || device(to) == nullptr) {
    return refuse(INVALID_DEVICE, "there is no such device");
  }
  *can = from != to && from / 2 == to / 2 && setting("peers") != 0;
  return SUCCESS;
}

Result cuCtxEnablePeerAccess(Device *peer, unsigned) {
  Guard guard(lock);
  Result result = ready();
  if (result != SUCCESS) {
    return result;
  }
  if (peer == nullptr || peer->retained == 0 || peer == current) {
    return refuse(INVALID_CONTEXT, "there is no such peer");
  }
  if (setting("peers") == 0) {
    return refuse(PEER_ACCESS_UNSUPPORTED, "the stand-in has no access between devices");
  }
  return current->reached.insert(peer).second ? SUCCESS : refuse(PEER_ACCESS_ALREADY_ENABLED, "it was enabled before");
}

Result cuMemGetInfo_v2(size_t *available, size_t *total) {
  Guard guard(lock);
  Result result = ready();
  if (result == SUCCESS) {
    *total = static_cast<size_t>(setting("memory"));
    *available = *total - std::min(*total, current->used);
  }
  return result;
}

Result cuMemAlloc_v2(uintptr_t *address, size_t bytes) {
  Guard guard(lock);
  Result result = ready();
  return result == SUCCESS && (result = outside_captures(MEMORY)) == SUCCESS ? allocate(*current, bytes, address) : result;
}

/* Waits for the device, as a driver does; memory outlives a failed kernel. */
Result cuMemFree_v2(uintptr_t address) {
  Guard guard(lock);
  if (current == nullptr || current->retained == 0) {
    return refuse(INVALID_CONTEXT, "this thread has no current context");
  }
  Result result = outside_captures(MEMORY);
  if (result == SUCCESS) {
    run_all(*current);
    result = release(*current, address);
  }
  return result;
}

Result cuMemHostRegister_v2(void *, size_t, unsigned) {
  Guard guard(lock);
  Result result = ready();
  counter("pinned") += result == SUCCESS;
  return result;
}

Result cuMemHostUnregister(void *) {
  Guard guard(lock);
  counter("pinned")--;
  return SUCCESS;
}

Result cuMemcpyHtoD_v2(uintptr_t to, const void *from, size_t bytes) {
  Guard guard(lock);
  Result result = ready();
  if (result == SUCCESS && (result = on_device(*current, to, bytes)) == SUCCESS) {
    Access access(*current);
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  }
  return result;
}

Result cuMemcpyDtoH_v2(void *to, uintptr_t from, size_t bytes) {
  Guard guard(lock);
  Result result = ready();
  if (result == SUCCESS && (result = on_device(*current, from, bytes)) == SUCCESS) {
    Access access(*current);
    std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  }
  return result;
}

/* Not on the device, but on its memory, at its turn. */
static Result copy_later(Stream *stream, void *to, const void *from, size_t bytes) {
  return add(*stream, [=] {
    std::memcpy(to, from, bytes);
    return SUCCESS;
  });
}

Result cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t bytes, Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && (result = on_device(*current, to, bytes)) == SUCCESS) {
    result = copy_later(stream, reinterpret_cast<void *>(to), from, bytes);
    counter("uploaded") += static_cast<long>(bytes);
  }
  return result;
}

Result cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t bytes, Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && (result = on_device(*current, from, bytes)) == SUCCESS) {
    result = copy_later(stream, to, reinterpret_cast<void *>(from), bytes);
    counter("downloaded") += static_cast<long>(bytes);
  }
  return result;
}

Result cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && (result = on_device(*current, from, bytes)) == SUCCESS &&
      (result = on_device(*current, to, bytes)) == SUCCESS) {
    result = copy_later(stream, reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
  }
  return result;
}

/* A driver would go by the host where access is not enabled; that is not what is wanted of anybody here. */
Result cuMemcpyPeerAsync(uintptr_t to, Device *target, uintptr_t from, Device *source, size_t bytes, Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result != SUCCESS) {
    return result;
  }
  if (target != current || source == nullptr || source->retained == 0) {
    return refuse(INVALID_CONTEXT, "the stand-in copies from another device to the current one");
  }
  if (current->reached.count(source) == 0) {
    return refuse(PEER_ACCESS_NOT_ENABLED, "access to the other device was not enabled");
  }
  if ((result = on_device(*source, from, bytes)) == SUCCESS && (result = on_device(*current, to, bytes)) == SUCCESS) {
    counter("peered") += static_cast<long>(bytes);
    result = add(*stream, [=] {
      Access access(*source);
      std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
      return SUCCESS;
    });
  }
  return result;
}

Result cuMemsetD8Async(uintptr_t to, unsigned char value, size_t bytes, Stream *stream) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result == SUCCESS && (result = on_device(*current, to, bytes)) == SUCCESS) {
    result = add(*stream, [=] {
      std::memset(reinterpret_cast<void *>(to), value, bytes);
      return SUCCESS;
    });
  }
  return result;
}

}
