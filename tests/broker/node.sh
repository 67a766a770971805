# shellcheck shell=bash
# A private RabbitMQ node: free ports, a fresh folder for all that it writes, stopped by its process id. Sourced by the
# scripts that need a broker; they define `say` and `fail`, and call `stop_nodes` on their way out.

# shellcheck source=tests/broker/rabbitmq.sh
source "${BASH_SOURCE[0]%/*}/rabbitmq.sh"
# shellcheck source=tests/broker/tls.sh
source "${BASH_SOURCE[0]%/*}/tls.sh"

nodes_folder=
epmd_port=
epmd_pid=
declare -A node_port=() node_tls_port=() node_pid=()

# Starts a node under a name and returns at once; await_node waits for it. Nodes start side by side. They have a TLS port
# too, for these versions of TLS, with this one of the certificates that make_certificates made; and these mechanisms of
# authentication beyond the usual ones.
start_node() {
  local name=$1 versions=$2 certificate=$3 mechanisms=${4-} folder port tls_port
  prepare_nodes
  folder=$nodes_folder/$name
  port=$(free_port)
  tls_port=$(free_port)
  mkdir -p "$folder/home"
  : >"$folder/environment.conf"
  printf '[rabbitmq_auth_mechanism_ssl].\n' >"$folder/enabled_plugins"
  tls_settings "$tls_port" "$versions" "$certificate" "$mechanisms" >"$folder/advanced.config"
  definitions >"$folder/definitions.json"
  # A small or full disk must not raise the alarm that the tests raise themselves.
  printf '%s\n' 'disk_free_limit.absolute = 1MB' "load_definitions = $folder/definitions.json" >"$folder/rabbitmq.conf"
  write_control "$name" "$folder"
  (
    node_environment "$name" "$folder"
    export RABBITMQ_NODE_PORT=$port
    RABBITMQ_DIST_PORT=$(free_port)
    export RABBITMQ_DIST_PORT
    # Without schedulers that spin while they wait: the nodes share their processors with the tests.
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+sbwt none +sbwtdcpu none +sbwtdio none'
    cd "$folder" || exit 1
    exec "$rabbitmq_bin/rabbitmq-server"
  ) >"$folder/output" 2>&1 </dev/null &
  node_pid[$name]=$!
  node_port[$name]=$port
  node_tls_port[$name]=$tls_port
}

# Returns once the node answers a protocol header and says that it listens at its TLS port; a node that dies or takes longer
# than five minutes is a failure.
await_node() {
  local name=$1 deadline=$((SECONDS + 300))
  until answers_protocol_header "${node_port[$name]}" && listens_with_tls "$name"; do
    if ! kill -0 "${node_pid[$name]}" 2>/dev/null || ((SECONDS > deadline)); then
      tail -n 40 "$nodes_folder/$name/output" >&2
      fail "The private node $name did not come up; the end of its output is above."
    fi
    sleep 0.2
  done
}

node_url() {
  printf 'amqp://guest:guest@127.0.0.1:%s' "${node_port[$1]}"
}

node_tls_url() {
  printf 'amqps://guest:guest@127.0.0.1:%s' "${node_tls_port[$1]}"
}

# The path of a rabbitmqctl that speaks to this node and to no other.
node_control() {
  printf '%s/%s/rabbitmqctl' "$nodes_folder" "$1"
}

# The path of its log, which is named after the node.
node_log() {
  printf '%s/%s/log/leveret-%s-%s@127.0.0.1.log' "$nodes_folder" "$1" "$1" "$$"
}

# Stops what was started here, and removes the folder; safe to call twice, and when nothing was started.
stop_nodes() {
  local name
  for name in "${!node_pid[@]}"; do
    kill -TERM "${node_pid[$name]}" 2>/dev/null || true
  done
  for name in "${!node_pid[@]}"; do
    stop_node "$name"
  done
  if [[ -n $epmd_pid ]]; then
    kill -TERM "$epmd_pid" 2>/dev/null || true
    wait "$epmd_pid" 2>/dev/null || true
    epmd_pid=
  fi
  if [[ -n $nodes_folder ]]; then
    rm -rf "$nodes_folder"
    nodes_folder=
  fi
}

stop_node() {
  local name=$1 pid=${node_pid[$1]} deadline=$((SECONDS + 30)) emulator
  kill -TERM "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
    sleep 0.1
  done
  if kill -0 "$pid" 2>/dev/null; then
    emulator=$(cat "$nodes_folder/$name/pid" 2>/dev/null || true)
    kill -KILL "$pid" ${emulator:+"$emulator"} 2>/dev/null || true
  fi
  wait "$pid" 2>/dev/null || true
  unset "node_pid[$name]" "node_port[$name]" "node_tls_port[$name]"
}

# The folder, and a port mapper of our own: the one that Erlang would start by itself outlives the node.
prepare_nodes() {
  [[ -z $nodes_folder ]] || return 0
  nodes_folder=$(mktemp -d -t leveret-nodes.XXXXXX)
  certificates=$nodes_folder/certificates
  mkdir "$nodes_folder/ports"
  epmd_port=$(free_port)
  epmd -port "$epmd_port" -address 127.0.0.1 >"$nodes_folder/epmd-output" 2>&1 </dev/null &
  epmd_pid=$!
  local deadline=$((SECONDS + 30))
  until is_listening "$epmd_port"; do
    if ! kill -0 "$epmd_pid" 2>/dev/null || ((SECONDS > deadline)); then
      fail "Erlang's port mapper did not start: $(cat "$nodes_folder/epmd-output")"
    fi
    sleep 0.1
  done
}

# What a node and its rabbitmqctl have to agree on, and every file that a node would otherwise share.
node_environment() {
  local name=$1 folder=$2
  export HOME=$folder/home
  # Arguments and output are UTF-8, whatever the caller's locale.
  export LC_ALL=C.UTF-8
  export ERL_EPMD_PORT=$epmd_port
  # An address for a name, so that nothing has to be resolved.
  export RABBITMQ_USE_LONGNAME=true
  export RABBITMQ_NODENAME=leveret-$name-$$@127.0.0.1
  export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
  export RABBITMQ_MNESIA_BASE=$folder/data
  export RABBITMQ_LOG_BASE=$folder/log
  export RABBITMQ_PID_FILE=$folder/pid
  export RABBITMQ_ENABLED_PLUGINS_FILE=$folder/enabled_plugins
  export RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf
  export RABBITMQ_ADVANCED_CONFIG_FILE=$folder/advanced.config
  export RABBITMQ_CONF_ENV_FILE=$folder/environment.conf
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
}

write_control() {
  local name=$1 folder=$2
  {
    printf '#!/usr/bin/env bash\n'
    declare -f node_environment
    printf 'epmd_port=%q\n' "$epmd_port"
    printf 'node_environment %q %q\n' "$name" "$folder"
    # The name carries the process id of the script that started the node.
    printf 'export RABBITMQ_NODENAME=%q\n' "leveret-$name-$$@127.0.0.1"
    # Several may run at once, and the usual eleven ports may belong to others.
    printf 'export RABBITMQ_CTL_DIST_PORT_MIN=%q RABBITMQ_CTL_DIST_PORT_MAX=%q\n' 15700 15999
    printf 'exec %q "$@"\n' "$rabbitmq_bin/rabbitmqctl"
  } >"$folder/rabbitmqctl"
  chmod +x "$folder/rabbitmqctl"
}

# Below the range that the system hands out by itself, so that no outgoing connection takes it meanwhile; and not given out
# before, though nobody listens there yet.
free_port() {
  local port
  while :; do
    port=$((16000 + RANDOM % 16000))
    if ! is_listening "$port" && mkdir "${nodes_folder:?}/ports/$port" 2>/dev/null; then
      break
    fi
  done
  printf '%s' "$port"
}

is_listening() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# What accepts a connection there may be somebody else.
listens_with_tls() {
  grep -qF "TLS (SSL) listener on 127.0.0.1:${node_tls_port[$1]}" "$(node_log "$1")" 2>/dev/null
}

# A broker that is up answers the protocol header with a method frame: connection.start.
answers_protocol_header() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'AMQP\0\0\11\1' >&3
    IFS= read -r -t 5 -N 1 answer <&3 || exit 1
    [[ $answer == $'\1' ]]
  ) 2>/dev/null
}
