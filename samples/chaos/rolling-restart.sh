#!/bin/sh
# Tells every node but the one that the stories come through to leave (SIGTERM), one after the other, each in the middle of a
# story; the supervisor starts it again. Every story must be the undisturbed one.
#
#   samples/chaos/rolling-restart.sh

set -eu
. "$(dirname "$0")/cluster.sh"

story() {
  "$troupe" generate --model tales --prompt "Once upon a time" --max-new-tokens 150 --ignore-eos \
    --connect "127.0.0.$1:$PORT" --json | sed 's/"id":"[^"]*",//'
}

start_cluster
undisturbed=$(story 1)
node=$NODES
while [ "$node" -ge 1 ]; do
  through=1
  [ "$node" -ne 1 ] || through=$NODES
  story "$through" >"$folder/story" 2>"$folder/last-error" &
  telling=$!
  sleep 4 # in the middle: a story takes about six seconds, two of them for the client's start
  old=$(cat "$folder/node-$node.pid")
  kill "$old"
  runs=$((runs + 1))
  if wait "$telling" && [ "$(cat "$folder/story")" = "$undisturbed" ]; then
    say "node $node left and the story went on as if it had not"
  else
    differing=$((differing + 1))
    say "node $node left and the story is another one, or failed:"
    cat "$folder/last-error"
  fi
  while [ "$(cat "$folder/node-$node.pid")" = "$old" ]; do
    sleep 1
  done
  await_cluster
  node=$((node - 1))
done
verdict
