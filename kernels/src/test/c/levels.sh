#!/bin/sh
# Compares the levels of the native kernels: equal digests of products of all types and of attention, memory errors fail. Levels
# that do not run here are left out; with gcc for aarch64 and qemu-user the one of Arm runs too.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c11 -O3 -Wall -Wextra -Werror -ffp-contract=off -fno-fast-math"

compare() { # a level's name, its digests
  if [ ! -s "$out/first" ]; then
    cp "$2" "$out/first"
  elif ! diff "$out/first" "$2" >&2; then
    echo "FAILED: $1 has other bits" >&2
    exit 1
  fi
  echo "$1: $(wc -l <"$2") digests"
}

native=$(uname -m)
# shellcheck disable=SC2086
cc $flags -fsanitize=address levels.c -o "$out/levels"
for bits in 512 256 128; do
  if "$out/levels" $bits >"$out/$bits" 2>"$out/refusal"; then
    compare "$native, $bits bits" "$out/$bits"
  elif ! grep -q '^no level' "$out/refusal"; then
    cat "$out/refusal" >&2
    exit 1
  fi
done

first_of() { # the first of these commands that is there
  for command in "$@"; do
    command -v "$command" && return
  done
  true
}

cross=$(first_of aarch64-linux-gnu-gcc aarch64-linux-gnu-gcc-12)
qemu=$(first_of qemu-aarch64-static qemu-aarch64)
if [ "$native" != aarch64 ] && [ -n "$cross" ] && [ -n "$qemu" ]; then
  # shellcheck disable=SC2086
  "$cross" $flags -static levels.c -o "$out/levels-arm"
  "$qemu" -cpu max "$out/levels-arm" 128 >"$out/arm"
  compare "aarch64 (emulated), 128 bits" "$out/arm"
else
  echo "aarch64: not compared, because it takes gcc for aarch64 and qemu-user"
fi
[ -s "$out/first" ] || echo "no level runs here"
