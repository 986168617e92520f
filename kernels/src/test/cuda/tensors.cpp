// The stand-in driver's maps of tensors, of which it takes those that a real one would.
#include "hopper.h"
#include "standin.h"

using namespace standin;

namespace {

constexpr int BYTES_OF_TYPE[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2}; /* as cuda.h numbers types of elements */
constexpr int BYTES_OF_SWIZZLE[] = {0, 32, 64, 128};
constexpr int MOST_RANK = 3;
constexpr uint64_t CHUNK = 16;

Result refused(const std::string &why) { return refuse(INVALID_VALUE, "a map of a tensor cannot be made: " + why); }

} // namespace

extern "C" Result cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, uintptr_t address, const uint64_t *lengths,
                                         const uint64_t *strides, const uint32_t *box, const uint32_t *element_strides,
                                         int interleave, int swizzle, int promotion, int fill) {
  Guard guard(lock);
  Result result = ready();
  if (result != SUCCESS) {
    return result;
  }
  if (type < 0 || type > 9 || rank < 1 || rank > MOST_RANK || interleave != 0 || swizzle < 0 || swizzle > 3 || promotion < 0 ||
      promotion > 3 || fill != 0) {
    return refused("the stand-in does not know such a one");
  }
  emulator::Tensor tensor = {emulator::TENSOR_MARK, static_cast<int>(rank), BYTES_OF_TYPE[type], BYTES_OF_SWIZZLE[swizzle],
                             address, {}, {1, 1, 1}, {1, 1, 1}};
  uint64_t inner = box[0] * static_cast<uint64_t>(tensor.bytes);
  if (reinterpret_cast<uintptr_t>(map) % alignof(tensor_map) != 0 || address % CHUNK != 0) {
    return refused("it, or the tensor, is not aligned");
  }
  if (inner % CHUNK != 0 || (tensor.swizzle != 0 && inner > static_cast<uint64_t>(tensor.swizzle))) {
    return refused("a line of a box has " + std::to_string(inner) + " bytes");
  }
  uint64_t bytes = static_cast<uint64_t>(tensor.bytes);
  for (uint32_t i = 0; i < rank; i++) {
    if (lengths[i] == 0 || lengths[i] > 1ull << 32 || box[i] == 0 || box[i] > 256 || element_strides[i] != 1) {
      return refused("index " + std::to_string(i) + " has a length or a box that is not allowed");
    }
    if (i > 0 && (strides[i - 1] % CHUNK != 0 || strides[i - 1] >= 1ull << 40 || (i > 1 && strides[i - 1] % strides[i - 2] != 0))) {
      return refused("index " + std::to_string(i) + " has a stride of " + std::to_string(strides[i - 1]) + " bytes");
    }
    tensor.lengths[i] = static_cast<uint32_t>(lengths[i]);
    tensor.box[i] = box[i];
    bytes += (lengths[i] - 1) * (i == 0 ? static_cast<uint64_t>(tensor.bytes) : strides[i - 1]);
    if (i > 0) {
      tensor.strides[i - 1] = strides[i - 1];
    }
  }
  if (!holds(*current, address, bytes)) {
    return refused("it is not in one piece of the device's memory");
  }
  std::memcpy(map, &tensor, sizeof tensor);
  return SUCCESS;
}
