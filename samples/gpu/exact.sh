#!/bin/sh
# The bundled model must give the same tokens on the CPU and on a GPU: greedy ones and sampled ones, of several prompts.
#
#   samples/gpu/exact.sh [DEVICE]      cuda:0 by default
#
#   TROUPE    the command to use; the launcher two folders up by default

set -eu
here=$(CDPATH='' cd -- "$(dirname "$0")" && pwd)
troupe=${TROUPE:-$here/../../troupe}
device=${1:-cuda:0}
compared=0

# The tokens of a prompt on a device, as text and hash.
tokens() { # device, prompt, options...
  on=$1
  prompt=$2
  shift 2
  "$troupe" generate --model tales --device "$on" --prompt "$prompt" --max-new-tokens 120 --show-hash "$@"
}

compare() { # prompt, options...
  cpu=$(tokens cpu "$@") || exit 1
  gpu=$(tokens "$device" "$@") || exit 1
  if [ "$cpu" != "$gpu" ]; then
    printf 'DIFFERENT: %s\n--- cpu\n%s\n--- %s\n%s\n' "$*" "$cpu" "$device" "$gpu"
    exit 1
  fi
  compared=$((compared + 1))
}

for prompt in "Once upon a time" "Lily" "Tom had a red ball and"; do
  compare "$prompt"
  compare "$prompt" --temperature 0.9 --seed 7
  compare "$prompt" --temperature 1.2 --top-p 0.95 --seed 11
done
printf 'EQUAL: %d texts of the bundled model have the same tokens on the CPU and on %s\n' "$compared" "$device"
