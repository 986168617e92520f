# Starts and ends a cluster of processes on this machine, for the scripts beside this file; they read it with ".".
# Every node runs under a loop that starts it again when it ends, as a service manager would.
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

node_configuration() { # number
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
}

# Starts node $1 again and again until the folder is gone. The node is told to end by its process id.
supervise() {
  while [ -d "$folder" ]; do
    "$troupe" node --config "$folder/node-$1.conf" >>"$folder/node-$1.log" 2>&1 </dev/null &
    node=$!
    printf '%s\n' "$node" >"$folder/node-$1.pid"
    wait "$node" && status=0 || status=$?
    [ -d "$folder" ] || return 0
    say "$(date +%T) node $1 ended with $status" >>"$folder/supervisor.log"
    sleep 1
  done
}

end_cluster() {
  trap - EXIT INT TERM
  n=1
  pids=
  while [ "$n" -le "$NODES" ]; do
    pids="$pids $(cat "$folder/node-$n.pid" 2>/dev/null || :)"
    n=$((n + 1))
  done
  rm -rf "$folder"
  for pid in $pids; do
    kill -CONT "$pid" 2>/dev/null || :
    kill "$pid" 2>/dev/null || :
  done
  wait
}

start_cluster() {
  "$troupe" --version >/dev/null || exit 1 # builds what is missing, once
  trap end_cluster EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  n=1
  while [ "$n" -le "$NODES" ]; do
    node_configuration "$n" >"$folder/node-$n.conf"
    supervise "$n" &
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
