# shellcheck shell=bash
# Where RabbitMQ's programs are, and how they get here: sourced by the scripts that need a broker.

rabbitmq_bin=

# Sets rabbitmq_bin to the folder with rabbitmq-server and rabbitmqctl; installs Debian's package where there is none.
find_rabbitmq() {
  if ! look_for_rabbitmq; then
    install_rabbitmq
    look_for_rabbitmq || fail "rabbitmq-server was installed and still is neither on PATH nor under /usr/lib/rabbitmq/bin."
  fi
  command -v epmd >/dev/null || fail "RabbitMQ is in $rabbitmq_bin, but Erlang's epmd is not on PATH."
}

# Debian's commands on PATH switch to the user rabbitmq; those in the package's own folder run as whoever calls them.
look_for_rabbitmq() {
  local server
  if server=$(command -v rabbitmq-server); then
    server=$(readlink -f "$server")
    rabbitmq_bin=${server%/*}
  else
    rabbitmq_bin=/usr/lib/rabbitmq/bin
  fi
  [[ -x $rabbitmq_bin/rabbitmq-server && -x $rabbitmq_bin/rabbitmqctl ]]
}

install_rabbitmq() {
  say "No RabbitMQ on this machine: installing Debian's rabbitmq-server."
  install_packages rabbitmq-server
}

# Installs Debian packages without starting the services in them: a broker on the default port is not ours to run.
install_packages() {
  command -v apt-get >/dev/null || fail "Missing: $*. There is no apt-get to install it with; install it and run this again."
  local -a as_root=()
  if [[ $(id -u) != 0 ]]; then
    sudo -n true 2>/dev/null || fail "Missing: $*. Installing it needs root; install it (apt-get install $*) and run this again."
    as_root=(sudo -n)
  fi
  # shellcheck disable=SC2016 # the inner shell expands these
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -euo pipefail -c '
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
      trap "rm -f $policy" EXIT
      printf "#!/bin/sh\nexit 101\n" >"$policy"
      chmod 755 "$policy"
    fi
    apt-get update -q
    apt-get install -q -y --no-install-recommends "$@"
  ' install "$@" </dev/null >&2 || fail "apt-get could not install: $*. Its own words are above."
}
