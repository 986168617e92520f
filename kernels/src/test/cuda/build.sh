#!/bin/sh
# Builds the stand-in driver with all kernels: build.sh FILE, where FILE ends with libcuda.so.1. CXX and CXXFLAGS as usual.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
main=$here/../../main/cuda
cxx=${CXX:-c++}
native=-march=native # fused multiply-adds without a call, where the compiler knows how
$cxx $native -x c++ -E /dev/null >/dev/null 2>&1 || native=
mkdir -p "$(dirname "$1")"
# shellcheck disable=SC2086 # several flags
exec "$cxx" -std=c++17 -O2 $native -ffp-contract=off -fno-fast-math -fPIC -shared -fvisibility-inlines-hidden \
  -Wall -Wextra -Wl,-soname,libcuda.so.1 -I "$here" -I "$main" ${CXXFLAGS:-} -o "$1" -x c++ "$here"/*.cpp "$here"/*.cu "$main"/*.cu
