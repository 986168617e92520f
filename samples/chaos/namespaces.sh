#!/bin/sh
# Breaks the network between nodes: three nodes, each in a network namespace of its own (10.77.0.1 to 10.77.0.3, under TLS), on a
# bridge in one more. Tells a story, breaks the network in the middle of it, and mends it. The story must be the undisturbed one,
# the packet counters must show that the fault took effect, and afterwards every node must serve again.
#
#   samples/chaos/namespaces.sh FAULT...      (as root, on Linux, with ip and iptables; tc for slow)
#
#   short       node 3 cut off from everybody for 2 s: nobody may be removed
#   partition   node 3 cut off for 25 s: it must end, be started again and join
#   half        only the link between nodes 2 and 3, for 25 s: they must not both go on with the ranks of one epoch
#   one-way     only what node 2 sends to node 3, for 25 s
#   flapping    links drawn at random cut and healed for 60 s; SEED draws them
#   slow        1 Mbit/s to and from nodes 2 and 3, for 60 s
#
# Exit code 4: it cannot run here, for the reason it prints.

set -eu
cannot() {
  printf 'skipped: %s\n' "$1"
  exit 4
}
[ "$#" -gt 0 ] || cannot "no fault was named; see the head of this file"
[ "$(uname)" = Linux ] || cannot "network namespaces are a thing of Linux"
[ "$(id -u)" -eq 0 ] || cannot "making network namespaces needs root"
command -v ip >/dev/null || cannot "there is no ip: install iproute2"
command -v iptables >/dev/null || cannot "there is no iptables"
case " $* " in
  *" slow "*) command -v tc >/dev/null || cannot "there is no tc: install iproute2" ;;
esac
prefix=troupe$$
ip netns add "$prefix-0" 2>/dev/null || cannot "this kernel, or this container, makes no network namespaces"
ip netns del "$prefix-0"
. "$(dirname "$0")/cluster.sh"

seed=${SEED:-7}
net=10.77.0
client_options="--tls-dir $folder/certs --client-host 10.77.0.9"
more_configuration="troupe.wire.tls { enabled = on, directory = \"$folder/certs\" }"
exec_at_node() {
  number=$1
  shift
  exec ip netns exec "$prefix-$number" "$@"
}
exec_at_client() {
  exec ip netns exec "$prefix-9" "$@"
}
clean_up() {
  for place in 0 1 2 3 9; do
    ip netns del "$prefix-$place" 2>/dev/null || :
  done
}

# Namespace 0 has nothing but the bridge; 9 is the client's.
make_network() {
  ip netns add "$prefix-0"
  ip -n "$prefix-0" link add bridge type bridge
  ip -n "$prefix-0" link set bridge up
  for place in 1 2 3 9; do
    ip netns add "$prefix-$place"
    ip -n "$prefix-0" link add "port$place" type veth peer name eth0 netns "$prefix-$place"
    ip -n "$prefix-0" link set "port$place" master bridge up
    ip -n "$prefix-$place" address add "10.77.0.$place/24" dev eth0
    ip -n "$prefix-$place" link set eth0 up
    ip -n "$prefix-$place" link set lo up
  done
}

# Drops at node $1 what comes from node $2 and counts it.
drop_from() {
  (exec_at_node "$1" iptables -w -A INPUT -i eth0 -s "10.77.0.$2" -j DROP)
}

cut_off() { # node
  (exec_at_node "$1" iptables -w -A INPUT -i eth0 -j DROP)
  (exec_at_node "$1" iptables -w -A OUTPUT -o eth0 -j DROP)
}

# Adds what was dropped at all nodes to "dropped"; it passes again.
dropped=0
heal() {
  for place in 1 2 3; do
    for chain in INPUT OUTPUT; do
      packets=$(exec_at_node "$place" iptables -w -nvxL "$chain" | awk '$3 == "DROP" { sum += $1 } END { print sum + 0 }')
      dropped=$((dropped + packets))
      (exec_at_node "$place" iptables -w -F "$chain")
    done
  done
}

both_ways() { # two nodes
  drop_from "$1" "$2"
  drop_from "$2" "$1"
}

# Sets drawn to a number from 0 to $1 - 1.
draw() {
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  drawn=$((seed / 65536 % $1))
}

flap() {
  stop=$(($(date +%s) + 60))
  while [ "$(date +%s)" -lt "$stop" ]; do
    for pair in "1 2" "1 3" "2 3"; do
      draw 2
      # shellcheck disable=SC2086 # two nodes
      [ "$drawn" -eq 0 ] || both_ways $pair
    done
    draw 4
    sleep $((drawn + 1))
    heal
    draw 4
    sleep $((drawn + 1))
  done
}

# Wherever the ranks are: at least two nodes have some.
slow() {
  for place in 2 3; do
    filter "$place" eth0 add
    filter 0 "port$place" add
  done
  sleep 60
  for place in 2 3; do
    # What the filter held up is what shows that it was there.
    held=$(ip netns exec "$prefix-0" tc -s qdisc show dev "port$place" \
      | sed -n 's/.*dropped \([0-9]*\), overlimits \([0-9]*\) .*/\1 \2/p' | awk '{ print $1 + $2; exit }')
    dropped=$((dropped + held))
    filter "$place" eth0 del
    filter 0 "port$place" del
  done
}

filter() { # namespace, device, add or del
  options=
  [ "$3" = del ] || options="tbf rate 1mbit burst 16kb latency 400ms mtu 1600"
  # shellcheck disable=SC2086 # several options
  ip netns exec "$prefix-$1" tc qdisc "$3" dev "$2" root $options
}

break_network() {
  case $1 in
    short)
      cut_off 3
      sleep 2
      ;;
    partition)
      cut_off 3
      sleep 25
      ;;
    half)
      both_ways 2 3
      sleep 25
      ;;
    one-way)
      drop_from 3 2
      sleep 25
      ;;
    flapping) flap ;;
    slow) slow ;;
    *) cannot "$1 is no fault; see the head of this file" ;;
  esac
}

experiment() {
  runs=$((runs + 1))
  dropped=0
  ended=$(wc -l <"$folder/supervisor.log")
  : >"$folder/story"
  begun=$(date +%s)
  exec_tell 1 --prompt "Once upon a time" --max-new-tokens 150 --ignore-eos --verify "$undisturbed" \
    >"$folder/story" 2>"$folder/last-error" &
  telling=$!
  until [ "$(wc -c <"$folder/story")" -ge 60 ] || ! kill -0 "$telling" 2>/dev/null; do
    sleep 1
  done
  kill -0 "$telling" 2>/dev/null && middle=yes || middle=no
  break_network "$1"
  [ "$1" = slow ] || heal
  if wait "$telling"; then
    told="the same story, after $(($(date +%s) - begun)) s"
  else
    differing=$((differing + 1))
    told="another story, or none"
    cat "$folder/last-error"
  fi
  if [ "$dropped" -eq 0 ] || [ "$middle" = no ]; then
    without_effect=$((without_effect + 1))
  fi
  healed=$(date +%s)
  await_cluster
  say "$1: $told; $dropped packets dropped or held up; nodes that ended: $(($(wc -l <"$folder/supervisor.log") - ended)); all serve $(($(date +%s) - healed)) s later"
  tail -n "+$((ended + 1))" "$folder/supervisor.log"
  if [ "$1" = short ] && [ "$(wc -l <"$folder/supervisor.log")" -gt "$ended" ]; then
    differing=$((differing + 1))
  fi
}

"$troupe" certs --out "$folder/certs" --nodes 10.77.0.1 10.77.0.2 10.77.0.3 10.77.0.9:client >/dev/null
make_network
undisturbed=$(hash_of_story)
start_cluster
for fault in "$@"; do
  experiment "$fault"
done
verdict each
