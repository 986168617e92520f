#!/bin/sh
# Builds the stand-in driver with all kernels: build.sh FILE, where FILE ends with libcuda.so.1. CXX and CXXFLAGS as usual.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
main=$here/../../main/cuda
cxx=${CXX:-c++}
native=-march=native # fused multiply-adds without a call, where the compiler knows how
$cxx $native -x c++ -E /dev/null >/dev/null 2>&1 || native=
mkdir -p "$(dirname "$1")"
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
flags="-std=c++17 -O2 $native -ffp-contract=off -fno-fast-math -fPIC -fvisibility-inlines-hidden -Wall -Wextra ${CXXFLAGS:-}"
# shellcheck disable=SC2016 # $0 and $1 are those of the inner shell
printf '%s\n' "$here"/*.cpp "$here"/*.cu "$main"/*.cu |
  xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN)" sh -c "$cxx $flags -I '$here' -I '$main' -c -x c++ -o \"\$0/\$(basename \"\$1\").o\" \"\$1\"" "$objects"
# shellcheck disable=SC2086 # several flags
"$cxx" $flags -shared -Wl,-soname,libcuda.so.1 -o "$1" "$objects"/*.o
