#!/bin/sh
# Compiles the kernels with nvcc: build.sh [FOLDER [SOURCE]], by default all into the resources, where what it makes is checked in. For every
# NAME.cu:
#   NAME.ptx          for devices of compute capability 8.0 and newer, by way of the driver's compiler
#   NAME.sm_90.cubin  for 9.0, ready to run
# both for 9.0 alone where NAME ends with _90a, and
#   NAME.sha256       of its sources and of both files, so that a test knows without nvcc whether they belong together
# nvcc writes the PTX version of its own release, which older drivers refuse; nothing here needs more than 8.0 (CUDA 12.0).
set -eu
cd "$(dirname "$0")"
out=${1:-../resources/cuda}
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ $# -lt 2 ]; then
  rm -f "$out"/*.ptx "$out"/*.cubin "$out"/*.sha256
  printf '%s\n' *.cu | xargs -n 1 -P "$(getconf _NPROCESSORS_ONLN)" sh "$(basename "$0")" "$out"
  exit
fi
source=$2
name=${source%.cu}
flags="-std=c++17 -O3 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true --Werror all-warnings"
case $name in
  *_90a) virtual=compute_90a real=sm_90a ;;
  *) virtual=compute_80 real=sm_90 ;;
esac
# shellcheck disable=SC2086 # several flags
nvcc $flags -arch=$virtual -ptx -o "$out/$name.ptx" "$source"
sed -i 's/^\.version .*/.version 8.0/; /^\/\/ \(Compiler Build ID\|Cuda compilation tools\|Based on\)/d' "$out/$name.ptx"
# shellcheck disable=SC2086
nvcc $flags -arch=$real -cubin -o "$out/$name.sm_90.cubin" "$source"
{
  sha256sum *.h "$source"
  (cd "$out" && sha256sum "$name.ptx" "$name.sm_90.cubin")
} >"$out/$name.sha256"
