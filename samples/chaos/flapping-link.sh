#!/bin/sh
# Tells stories while the link to one node is cut and healed at random: its tensor lane and what others send it over Artery go
# through a proxy each. Every story must be the undisturbed one.
#
#   samples/chaos/flapping-link.sh [SECONDS] [SEED]       120 and 7 by default
#
#   LANE      faults of the lane's link, --cut-every 5s --cut-for 1s by default. With --reset connections are closed instead of
#             held up; --flip-every 1MiB flips bits: see "troupe proxy --help"
#   ARTERY    faults of Artery's link, --cut-every 5s --cut-for 1s by default, "" for none. No bits: without TLS nothing would notice

set -eu
NODES=3
PROXIED=$NODES # the largest address: others make its connections, so they go through the proxy
. "$(dirname "$0")/cluster.sh"

seconds=${1:-120}
seed=${2:-7}
lane=${LANE---cut-every 5s --cut-for 1s}
artery=${ARTERY---cut-every 5s --cut-for 1s}

# Cuts, or flipped bits, that the proxy $1 has counted. A line: "9 connections, 83 bytes, 7 cuts, 0 resets, 0 flips".
faults() {
  tail -n 1 "$folder/proxy-$1.log" | awk '$4 == "bytes," { faults = $5 + $9 } END { print faults + 0 }'
}

undisturbed=$(hash_of_story)
# shellcheck disable=SC2086 # several options
proxy lane --listen "$net.$PROXIED:$((PORT + 1))" --to "$net.$PROXIED:$((PORT + 11))" $lane --seed "$seed"
# shellcheck disable=SC2086
proxy artery --listen "$net.$PROXIED:$PORT" --to "$net.$PROXIED:$((PORT + 10))" $artery --seed "$((seed + 1))"
start_cluster
end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
  before=$(faults lane)
  runs=$((runs + 1))
  if (exec_tell 1 --prompt "Once upon a time" --max-new-tokens 150 --ignore-eos --verify "$undisturbed") \
    >/dev/null 2>"$folder/last-error"; then
    say "the same story, with $(($(faults lane) - before)) faults of the lane's link meanwhile"
  else
    differing=$((differing + 1))
    say "another story, or none:"
    cat "$folder/last-error"
  fi
  [ "$(faults lane)" -gt "$before" ] || without_effect=$((without_effect + 1))
done
say "lane:   $(tail -n 1 "$folder/proxy-lane.log")"
say "artery: $(tail -n 1 "$folder/proxy-artery.log")"
say "nodes that ended meanwhile: $(wc -l <"$folder/supervisor.log")"
verdict
