#!/bin/sh
# Tells every node but the one that the stories come through to leave (SIGTERM), one after the other, each in the middle of a
# story; the supervisor starts it again. Every story must be the undisturbed one.
#
#   samples/chaos/rolling-restart.sh

set -eu
. "$(dirname "$0")/cluster.sh"

undisturbed=$(hash_of_story)
start_cluster
node=$NODES
while [ "$node" -ge 1 ]; do
  through=1
  [ "$node" -ne 1 ] || through=$NODES
  : >"$folder/story"
  exec_tell "$through" --prompt "Once upon a time" --max-new-tokens 150 --ignore-eos --verify "$undisturbed" \
    >"$folder/story" 2>"$folder/last-error" &
  telling=$!
  # In the middle of it: some words are there.
  until [ "$(wc -c <"$folder/story")" -ge 60 ] || ! kill -0 "$telling" 2>/dev/null; do
    sleep 1
  done
  old=$(cat "$folder/node-$node.pid")
  runs=$((runs + 1))
  kill -0 "$telling" 2>/dev/null || without_effect=$((without_effect + 1))
  kill "$old"
  if wait "$telling"; then
    say "node $node left and the story went on as if it had not"
  else
    differing=$((differing + 1))
    say "node $node left and the story is another one, or failed:"
    cat "$folder/last-error"
  fi
  while [ "$(cat "$folder/node-$node.pid")" = "$old" ]; do
    sleep 1
  done
  tail -n 1 "$folder/supervisor.log"
  await_cluster
  node=$((node - 1))
done
verdict each
