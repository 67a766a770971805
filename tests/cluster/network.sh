# shellcheck shell=bash
# The network of the cluster. Each node has a network namespace of its own with two links: to the other nodes, and to the
# clients, who are in the first namespace. Cutting one of them is taking its end at the bridge down. Sourced.

peers_address() { echo "10.77.0.$1"; }
clients_address() { echo "10.78.0.$1"; }

make_network() {
  local node
  ip link set lo up
  # Names of network namespaces are mounts; nobody else is to see them.
  mount -t tmpfs none /run
  make_bridge peers "$(peers_address 254)"
  make_bridge clients "$(clients_address 254)"
  for node in 1 2 3; do
    ip netns add "node$node"
    ip -n "node$node" link set lo up
    make_link "$node" peers "$(peers_address "$node")"
    make_link "$node" clients "$(clients_address "$node")"
  done
}

make_bridge() {
  ip link add "$1" type bridge
  ip addr add "$2/24" dev "$1"
  ip link set "$1" up
}

make_link() {
  local node=$1 bridge=$2 address=$3
  ip link add "$bridge$node" type veth peer name "$bridge" netns "node$node"
  ip link set "$bridge$node" master "$bridge" up
  ip -n "node$node" addr add "$address/24" dev "$bridge"
  ip -n "node$node" link set "$bridge" up
}

# Takes the link of a node to `peers` or `clients` down, or up again.
set_link() { ip link set "$2$1" "$3"; }

in_network_of() {
  local node=$1
  shift
  nsenter --net="/run/netns/node$node" -- "$@"
}
