# Starts and ends a cluster of processes on this machine, for the scripts beside this file; they read it with ".".
# Every node runs under a loop that starts it again when it ends, as a service manager would. Ctrl-C ends everything.
#
#   NODES   how many, 3 by default: 127.0.0.1 to 127.0.0.NODES (on macOS these need aliases of lo0 first)
#   PORT    of Artery, 25720 by default; the tensor lane takes the next one

here=$(CDPATH='' cd -- "$(dirname "$0")" && pwd)
troupe=$here/../../troupe
NODES=${NODES:-3}
PORT=${PORT:-25720}
folder=$(mktemp -d)

say() {
  printf '%s\n' "$*"
}

node_configuration() ( # number; a shell of its own, for its n
  seeds=
  n=1
  while [ "$n" -le "$NODES" ]; do
    seeds="$seeds\"127.0.0.$n:$PORT\", "
    n=$((n + 1))
  done
  cat <<CONF
troupe {
  node { host = "127.0.0.$1", port = $PORT, name = "node-$1" }
  cluster { seed-nodes = [$seeds], nodes = $NODES }
  models.tales = "tales"
  replica { model = tales, pipeline-parallel = 2, tensor-parallel = 2 }
  device.threads = 1
  wire.lane-port = $((PORT + 1))
  # Only for tests: without it "troupe chaos" is refused. The delay stretches time, or a short story is over before a fault.
  chaos { enabled = on, unit-delay = 1ms }
}
CONF
)

# Starts node $1 again and again until this shell of its own is told to end; then tells the node.
supervise() {
  node=
  ended=
  trap 'ended=yes; end_node' TERM
  while [ -z "$ended" ]; do
    "$troupe" node --config "$folder/node-$1.conf" >>"$folder/node-$1.log" 2>&1 </dev/null &
    node=$!
    printf '%s\n' "$node" >"$folder/node-$1.pid"
    [ -z "$ended" ] || end_node
    wait "$node" && status=0 || status=$?
    [ -z "$ended" ] || break
    say "$(date +%T) node $1 ended with $status" >>"$folder/supervisor.log"
    sleep 1
  done
  wait || :
}

end_node() {
  [ -n "$node" ] || return 0
  kill -CONT "$node" 2>/dev/null || :
  kill "$node" 2>/dev/null || :
}

supervisors=
end_cluster() {
  trap - EXIT
  trap '' INT TERM # what follows takes a few seconds and leaves nothing behind
  for supervisor in $supervisors; do
    kill "$supervisor" 2>/dev/null || :
  done
  wait || :
  rm -rf "$folder"
}

start_cluster() {
  "$troupe" --version >/dev/null 2>&1 || "$troupe" --version || exit 1 # builds what is missing, once
  trap end_cluster EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  n=1
  while [ "$n" -le "$NODES" ]; do
    node_configuration "$n" >"$folder/node-$n.conf"
    supervise "$n" &
    supervisors="$supervisors $!"
    n=$((n + 1))
  done
  say "starting $NODES nodes on 127.0.0.1 to 127.0.0.$NODES, port $PORT ..."
  await_cluster
}

# Waits until a story can be told through every node: a node that was started again takes part.
await_cluster() {
  n=1
  while [ "$n" -le "$NODES" ]; do
    tries=0
    until "$troupe" generate --model tales --prompt "Hello" --max-new-tokens 1 --connect "127.0.0.$n:$PORT" \
      >/dev/null 2>"$folder/last-error"; do
      tries=$((tries + 1))
      if [ "$tries" -ge 30 ]; then
        say "node $n does not serve:"
        cat "$folder/last-error"
        tail -n 20 "$folder/node-$n.log"
        exit 1
      fi
      sleep 1
    done
    n=$((n + 1))
  done
}

# Runs "troupe chaos" with these arguments through node $1 and counts how it went.
runs=0
differing=0
without_effect=0
chaos() {
  through=$1
  shift
  runs=$((runs + 1))
  status=0
  "$troupe" chaos "$@" --connect "127.0.0.$through:$PORT" 2>"$folder/last-error" || status=$?
  case $status in
    0) ;;
    3) without_effect=$((without_effect + 1)) ;;
    *)
      differing=$((differing + 1))
      cat "$folder/last-error"
      ;;
  esac
}

verdict() {
  say "$runs faults, $differing not identical, $without_effect without effect"
  if [ "$differing" -eq 0 ] && [ "$without_effect" -lt "$runs" ]; then
    say "VERDICT: identical"
  else
    say "VERDICT: not identical"
    exit 1
  fi
}
