#!/bin/sh
# Kills whoever plays each role, one after the other, in the middle of a story, and compares every story with the
# undisturbed one.
#
#   samples/chaos/kill-each-role.sh

set -eu
. "$(dirname "$0")/cluster.sh"

start_cluster
for role in stage-0/rank-0 stage-0/rank-1 stage-1/rank-0 stage-1/rank-1 scheduler coordinator; do
  # Through the newest front end: the oldest node is scheduler and coordinator.
  chaos "$NODES" kill --role "$role" --at token=40
  await_cluster
done
verdict each
