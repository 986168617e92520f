# Starts and ends a cluster of processes on this machine, for the scripts beside this file; they read it with ".".
# Every node runs under a loop that starts it again when it ends, as a service manager would. Ctrl-C ends everything.
#
#   NODES     how many, 3 by default: 127.0.0.1 to 127.0.0.NODES (on macOS these need aliases of lo0 first)
#   PORT      of Artery, 25720 by default; the tensor lane takes the next one
#   TROUPE    the command to use; the launcher two folders up by default
#   PROXIED   number of a node that binds ten ports higher, behind proxies that the script starts with "proxy"; none by default

here=$(CDPATH='' cd -- "$(dirname "$0")" && pwd)
troupe=${TROUPE:-$here/../../troupe}
NODES=${NODES:-3}
PORT=${PORT:-25720}
PROXIED=${PROXIED:-0}
folder=$(mktemp -d)

# A script may set or define these anew before it starts the cluster.
net=127.0.0
more_configuration=
client_options=
exec_at_node() { # number, command; what replaces the shell can be told to end by its process id
  shift
  exec "$@"
}
exec_at_client() {
  exec "$@"
}
clean_up() {
  :
}

say() {
  printf '%s\n' "$*"
}

node_configuration() ( # number; a shell of its own, for its n
  seeds=
  n=1
  while [ "$n" -le "$NODES" ]; do
    seeds="$seeds\"$net.$n:$PORT\", "
    n=$((n + 1))
  done
  higher=0
  [ "$1" -ne "$PROXIED" ] || higher=10
  cat <<CONF
troupe {
  node { host = "$net.$1", port = $PORT, bind-port = $((PORT + higher)), name = "node-$1" }
  cluster { seed-nodes = [$seeds], nodes = $NODES }
  models.tales = "tales"
  replica { model = tales, pipeline-parallel = 2, tensor-parallel = 2 }
  device.threads = 1
  wire { lane-port = $((PORT + 1)), bind-lane-port = $((PORT + 1 + higher)) }
  # Only for tests: without it "troupe chaos" is refused. The delay stretches time, or a short story is over before a fault.
  chaos { enabled = on, unit-delay = 1ms }
}
$more_configuration
CONF
)

# Starts node $1 again and again until this shell of its own is told to end; then tells the node.
supervise() {
  node=
  ended=
  trap 'ended=yes; end_node' TERM
  while [ -z "$ended" ]; do
    exec_at_node "$1" "$troupe" node --config "$folder/node-$1.conf" >>"$folder/node-$1.log" 2>&1 </dev/null &
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

# Starts "troupe proxy" with these options; its counts go to proxy-$1.log.
proxies=
proxy() {
  name=$1
  shift
  "$troupe" proxy "$@" >"$folder/proxy-$name.log" 2>&1 </dev/null &
  proxies="$proxies $!"
}

supervisors=
telling=
end_cluster() {
  trap - EXIT
  trap '' INT TERM # what follows takes a few seconds and leaves nothing behind
  for process in $telling $supervisors; do
    kill "$process" 2>/dev/null || :
  done
  for process in $supervisors; do
    wait "$process" 2>/dev/null || :
  done
  for process in $proxies; do
    kill "$process" 2>/dev/null || :
  done
  wait || :
  clean_up
  rm -rf "$folder"
}
trap end_cluster EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Builds what is missing, once.
"$troupe" --version >/dev/null 2>&1 || "$troupe" --version || exit 1

start_cluster() {
  n=1
  while [ "$n" -le "$NODES" ]; do
    node_configuration "$n" >"$folder/node-$n.conf"
    : >"$folder/supervisor.log"
    supervise "$n" &
    supervisors="$supervisors $!"
    n=$((n + 1))
  done
  say "starting $NODES nodes on $net.1 to $net.$NODES, port $PORT ..."
  await_cluster
}

# Tells a story through node $1; what follows are further options of "troupe generate". Replaces the shell.
exec_tell() {
  through=$1
  shift
  # shellcheck disable=SC2086 # several options
  exec_at_client "$troupe" generate --model tales --connect "$net.$through:$PORT" $client_options "$@"
}

# The hash of the story that everybody tells: the same tokens from the same logits.
hash_of_story() {
  "$troupe" generate --model tales --prompt "Once upon a time" --max-new-tokens 150 --ignore-eos --json 2>/dev/null \
    | sed 's/.*"hash" *: *"\([^"]*\)".*/\1/'
}

# Waits until a story can be told through every node: a node that was started again takes part.
await_cluster() {
  n=1
  while [ "$n" -le "$NODES" ]; do
    tries=0
    until (exec_tell "$n" --prompt "Hello" --max-new-tokens 1) >/dev/null 2>"$folder/last-error"; do
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

runs=0
differing=0
without_effect=0

# Runs "troupe chaos" with these arguments through node $1 and counts how it went.
chaos() {
  through=$1
  shift
  runs=$((runs + 1))
  status=0
  "$troupe" chaos "$@" --connect "$net.$through:$PORT" 2>"$folder/last-error" || status=$?
  case $status in
    0) ;;
    3) without_effect=$((without_effect + 1)) ;;
    *)
      differing=$((differing + 1))
      cat "$folder/last-error"
      ;;
  esac
}

# Ends the script. Of $1 = "each", no fault may have been without effect; else not all.
verdict() {
  say "$runs faults, $differing not identical, $without_effect without effect"
  most=$((runs - 1))
  [ "${1:-}" != each ] || most=0
  if [ "$differing" -eq 0 ] && [ "$without_effect" -le "$most" ] && [ "$runs" -gt 0 ]; then
    say "VERDICT: identical"
  else
    say "VERDICT: not identical, or not tested"
    exit 1
  fi
}
