// The stand-in driver's copies of rows with a stride.
#include "standin.h"

using namespace standin;

namespace {

constexpr int ON_HOST = 1;
constexpr int ON_DEVICE = 2;

/* One side of a copy, as cuda.h has it. */
struct Side {
  size_t x_bytes, y;
  int kind;
  char *host;
  uintptr_t device;
  void *array;
  size_t pitch;
};

/* CUDA_MEMCPY2D. */
struct Rows {
  Side from, to;
  size_t bytes, count;
};

Result check(const Side &side, const Rows &rows) {
  if (side.x_bytes != 0 || side.y != 0 || (side.kind != ON_HOST && side.kind != ON_DEVICE)) {
    return refuse(NOT_SUPPORTED, "the stand-in copies rows from their beginning, of the host or the device");
  }
  if (rows.count == 0 || side.pitch < rows.bytes || side.pitch > static_cast<size_t>(setting("pitch"))) {
    return refuse(INVALID_VALUE, "the rows are longer than their stride, or that is too long");
  }
  return side.kind == ON_HOST || holds(*current, side.device, (rows.count - 1) * side.pitch + rows.bytes)
             ? SUCCESS
             : refuse(INVALID_VALUE, "the rows do not lie in one allocation of this device");
}

char *start(const Side &side) { return side.kind == ON_HOST ? side.host : reinterpret_cast<char *>(side.device); }

} // namespace

extern "C" Result cuMemcpy2DAsync_v2(const Rows *copy, Stream *stream) {
  Guard guard(lock);
  Rows rows = *copy;
  Result result = ready(stream);
  if (result != SUCCESS || (result = check(rows.from, rows)) != SUCCESS || (result = check(rows.to, rows)) != SUCCESS) {
    return result;
  }
  counter("copies_of_rows")++;
  return add(*stream, [=] {
    for (size_t i = 0; i < rows.count; i++) {
      std::memcpy(start(rows.to) + i * rows.to.pitch, start(rows.from) + i * rows.from.pitch, rows.bytes);
    }
    return SUCCESS;
  });
}
