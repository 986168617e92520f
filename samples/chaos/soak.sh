#!/bin/sh
# Random faults at random tokens for a while, drawn from a seed: the same seed draws the same faults.
#
#   samples/chaos/soak.sh [SECONDS] [SEED]      300 and 7 by default

set -eu
. "$(dirname "$0")/cluster.sh"

seconds=${1:-300}
seed=${2:-7}

# Sets drawn to a number from 0 to $1 - 1 (a linear congruential generator; good enough to choose).
draw() {
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  drawn=$((seed / 65536 % $1))
}

start_cluster
end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
  draw 6
  case $drawn in
    0 | 1) fault="kill" ;;
    2) fault="crash-in-exchange" ;;
    3) fault="pause 2s" ;;
    4) fault="reset-connections" ;;
    *) fault="slow 5 2s" ;;
  esac
  draw 80
  at=$((drawn + 10))
  draw "$NODES"
  victim=$((drawn + 1))
  # Never through the victim's own front end.
  through=$((victim % NODES + 1))
  # shellcheck disable=SC2086 # the fault and its duration are two words
  chaos "$through" $fault --role "127.0.0.$victim:$PORT" --at "token=$at" --temperature 0.8 --seed "$seed"
  await_cluster
done
verdict
