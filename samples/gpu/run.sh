#!/bin/sh
# What to run first on a machine with a GPU: the self-test, then the same tokens on CPU and GPU, then speed. Ends at the first thing that
# is wrong; every step's output is kept.
#
#   samples/gpu/run.sh [DEVICE] [FOLDER]      cuda:0 and gpu-results by default
#
#   TROUPE    the command to use; the launcher two folders up by default
#   SHAPE     of the random weights, llama-8b by default; llama-1b is for a GPU with less than 24 GB
#   TYPES     of the weights, "bf16 q8_0 q4_0" by default

set -eu
here=$(CDPATH='' cd -- "$(dirname "$0")" && pwd)
TROUPE=${TROUPE:-$here/../../troupe}
export TROUPE
device=${1:-cuda:0}
folder=${2:-gpu-results}
shape=${SHAPE:-llama-8b}
types=${TYPES:-bf16 q8_0 q4_0}

# Runs a step, shows what it prints and keeps it in $folder/NAME.txt.
step() { # name, command...
  name=$1
  shift
  printf '\n== %s\n' "$name"
  status=0
  "$@" >"$folder/$name.txt" || status=$?
  cat "$folder/$name.txt"
  if [ "$status" -ne 0 ]; then
    printf 'run.sh: %s has failed; its output is in %s\n' "$name" "$folder/$name.txt" >&2
    exit 1
  fi
}

case $device in
  cuda:*) ;;
  *)
    printf 'run.sh: %s is no GPU; name one as cuda:0\n' "$device" >&2
    exit 2
    ;;
esac
mkdir -p "$folder"

# Seconds; without a GPU its one sentence on standard error is all there is to say.
"$TROUPE" selftest --device "$device" --quick --only memory >"$folder/first.txt" || exit 1

step devices "$TROUPE" devices
step selftest "$TROUPE" selftest --device "$device"
step exact "$here/exact.sh" "$device"
for type in $types; do
  step "kernels-$type" "$TROUPE" bench-kernels --device "$device" --synthetic "$shape:$type"
done
for type in $types; do
  step "prefill-$type" "$TROUPE" bench --device "$device" --synthetic "$shape:$type" \
    --prompt 2048 --prefill-chunk 512 --generate 16 --warm-up 5
  for sequences in 1 32; do
    step "decode-$type-$sequences" "$TROUPE" bench --device "$device" --synthetic "$shape:$type" \
      --prompt 128 --generate 128 --sequences "$sequences" --warm-up 5
  done
done
printf '\nAll steps are done; what they printed is in %s.\n' "$folder"
