// The stand-in driver's modules, kernels and launches.
#include "standin.h"

#include <algorithm>
#include <memory>

using namespace standin;

namespace {

constexpr size_t SHARED_BY_DEFAULT = 48 << 10;
constexpr int SHARED_AT_MOST = 227 << 10;
constexpr size_t MOST_ARGUMENTS = 4096;
constexpr int FUNCTION_MAX_THREADS = 0;
constexpr int FUNCTION_MAX_DYNAMIC_SHARED = 8;

struct Module {
  Device *device;
  std::string image;
};

struct Function {
  const emulator::Kernel *kernel;
  Module *module;
  size_t dynamic_shared;
};

std::vector<std::unique_ptr<Function>> functions;

/* The contents of a device's memory, by allocation. */
std::map<uintptr_t, std::string> contents(const Device &device) {
  std::map<uintptr_t, std::string> all;
  for (const auto &entry : device.memory) {
    all[entry.first].assign(entry.second.start, entry.second.bytes);
  }
  return all;
}

/* Turns the lowest bit of the last word that differs from before around; false if none does. */
bool break_last(const Device &device, const std::map<uintptr_t, std::string> &before) {
  for (auto entry = device.memory.rbegin(); entry != device.memory.rend(); ++entry) {
    const Allocation &memory = entry->second;
    const std::string &old = before.at(entry->first);
    for (size_t at = memory.bytes / 4 * 4; at >= 4; at -= 4) {
      if (std::memcmp(memory.start + at - 4, old.data() + at - 4, 4) != 0) {
        memory.start[at - 4] ^= 1;
        return true;
      }
    }
  }
  return false;
}

Result launch(Device &device, const emulator::Kernel &kernel, emulator::Index grid, size_t shared_bytes,
              const std::vector<char> &arguments) {
  counter("launches")++;
  counter(std::string("launches:") + kernel.name)++;
  bool broken = setting("broken") != 0 || setting(std::string("broken:") + kernel.name) != 0;
  std::map<uintptr_t, std::string> before = broken ? contents(device) : std::map<uintptr_t, std::string>();
  long &until = setting("fail_after");
  try {
    if (until > 0 && --until == 0) {
      throw emulator::Fault(std::string("kernel ") + kernel.name + ": the stand-in is told to fail");
    }
    auto schedule = static_cast<emulator::Schedule>(setting("schedule") % emulator::SCHEDULES);
    alignas(64) char aligned[MOST_ARGUMENTS];
    std::memcpy(aligned, arguments.data(), arguments.size());
    emulator::run(kernel, grid, shared_bytes, aligned, schedule);
    if (broken && break_last(device, before)) {
      counter("broken")++;
    }
    std::string text = overrun(device);
    if (!text.empty()) {
      throw emulator::Fault(std::string("kernel ") + kernel.name + ": " + text);
    }
  } catch (const emulator::Fault &e) {
    device.fault = e.what();
  }
  return SUCCESS;
}

/* The arguments of a launch as one block of bytes, from either way to give them. */
Result arguments_of(const emulator::Kernel &kernel, void **parameters, void **extra, std::vector<char> &arguments) {
  const void *from = parameters == nullptr ? nullptr : parameters[0];
  size_t bytes = kernel.argument_bytes;
  for (void **entry = extra; parameters == nullptr && entry != nullptr && entry[0] != nullptr; entry += 2) {
    if (reinterpret_cast<uintptr_t>(entry[0]) == 1) {
      from = entry[1];
    } else if (reinterpret_cast<uintptr_t>(entry[0]) == 2) {
      bytes = *static_cast<size_t *>(entry[1]);
    }
  }
  if (from == nullptr || bytes != kernel.argument_bytes || bytes > MOST_ARGUMENTS) {
    return refuse(INVALID_VALUE, std::string(kernel.name) + " takes " + std::to_string(kernel.argument_bytes) +
                                     " bytes of arguments, not " + std::to_string(from == nullptr ? 0 : bytes));
  }
  arguments.assign(static_cast<const char *>(from), static_cast<const char *>(from) + bytes);
  return SUCCESS;
}

} // namespace

extern "C" {

/* Any PTX text or cubin: which kernels it has is looked up in it, what they do is the emulator's. */
Result cuModuleLoadData(Module **module, const void *image) {
  Guard guard(lock);
  Result result = ready();
  if (result != SUCCESS || (result = outside_captures("a module cannot be loaded")) != SUCCESS) {
    return result;
  }
  const char *bytes = static_cast<const char *>(image);
  bool binary = std::memcmp(bytes, "\x7f" "ELF", 4) == 0;
  std::string text;
  if (binary && setting("cubins") == 0) {
    return refuse(INVALID_IMAGE, "the stand-in is told to take no cubins");
  }
  if (binary) {
    uint64_t sections;
    uint16_t size, count;
    std::memcpy(&sections, bytes + 40, sizeof sections);
    std::memcpy(&size, bytes + 58, sizeof size);
    std::memcpy(&count, bytes + 60, sizeof count);
    text.assign(bytes, sections + static_cast<uint64_t>(size) * count);
  } else {
    text = bytes;
  }
  if (!binary && text.find(".version") == std::string::npos) {
    return refuse(INVALID_IMAGE, "it is neither PTX nor a cubin");
  }
  *module = new Module{current, text};
  counter("modules")++;
  return SUCCESS;
}

Result cuModuleUnload(Module *module) {
  Guard guard(lock);
  functions.erase(std::remove_if(functions.begin(), functions.end(), [=](auto &f) { return f->module == module; }),
                  functions.end());
  delete module;
  counter("modules")--;
  return SUCCESS;
}

Result cuModuleGetFunction(Function **function, Module *module, const char *name) {
  Guard guard(lock);
  const emulator::Kernel *kernel = emulator::find(name);
  std::string in_ptx = std::string(".entry ") + name + "(";
  std::string in_cubin = std::string(".text.") + name + '\0';
  bool in_image = module->image.find(in_ptx) != std::string::npos || module->image.find(in_cubin) != std::string::npos;
  if (kernel == nullptr || !in_image) {
    return refuse(NOT_FOUND, std::string("there is no kernel ") + name + (in_image ? " in the stand-in" : " in the image"));
  }
  functions.push_back(std::make_unique<Function>(Function{kernel, module, SHARED_BY_DEFAULT}));
  *function = functions.back().get();
  return SUCCESS;
}

Result cuFuncGetAttribute(int *value, int attribute, Function *function) {
  if (attribute != FUNCTION_MAX_THREADS) {
    return refuse(INVALID_VALUE, "the stand-in does not know this attribute");
  }
  *value = static_cast<int>(function->kernel->threads);
  return SUCCESS;
}

Result cuFuncSetAttribute(Function *function, int attribute, int value) {
  if (attribute != FUNCTION_MAX_DYNAMIC_SHARED || value < 0 || value > SHARED_AT_MOST) {
    return refuse(INVALID_VALUE, "this attribute cannot have this value");
  }
  function->dynamic_shared = static_cast<size_t>(value);
  return SUCCESS;
}

Result cuLaunchKernel(Function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                      unsigned block_z, unsigned shared_bytes, Stream *stream, void **parameters, void **extra) {
  Guard guard(lock);
  Result result = ready(stream);
  if (result != SUCCESS) {
    return result;
  }
  const emulator::Kernel &kernel = *function->kernel;
  if (function->module->device != current) {
    return refuse(INVALID_HANDLE, std::string(kernel.name) + " was loaded on another device");
  }
  if (block_x != kernel.threads || block_y != 1 || block_z != 1) {
    return refuse(INVALID_VALUE, std::string(kernel.name) + " has blocks of " + std::to_string(kernel.threads) +
                                     " threads, not of " + std::to_string(block_x));
  }
  if (grid_x == 0 || grid_x > 0x7fffffff || grid_y == 0 || grid_y > 65535 || grid_z == 0 || grid_z > 65535) {
    return refuse(INVALID_VALUE, std::string(kernel.name) + " is launched with a grid that is empty or too large");
  }
  if (shared_bytes > function->dynamic_shared) {
    return refuse(INVALID_VALUE, std::string(kernel.name) + " asks for more shared memory than it was allowed");
  }
  std::vector<char> arguments;
  result = arguments_of(kernel, parameters, extra, arguments);
  if (result == SUCCESS) {
    Device *device = current;
    result = add(*stream, [=, &kernel] { return launch(*device, kernel, {grid_x, grid_y, grid_z}, shared_bytes, arguments); });
  }
  return result;
}
}
