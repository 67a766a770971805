# shellcheck shell=bash
# Where the other foreign clients are, npm's amqplib and Debian's amqp-tools; sourced after rabbitmq.sh.

amqplib_version=2.3.1

# Sets node_modules to a folder that amqplib is required from; installs it in the target folder where there is none.
find_amqplib() {
  local own
  own=$(realpath -m "${CARGO_TARGET_DIR:-target}")/amqplib
  node_modules=$own/node_modules
  if ! command -v node >/dev/null; then
    install_packages nodejs npm
  fi
  if NODE_PATH=$node_modules node -e 'require("amqplib")' 2>/dev/null; then
    return
  fi
  say "No amqplib in the target folder: installing it there."
  command -v npm >/dev/null || install_packages npm
  mkdir -p "$own"
  npm install --prefix "$own" --no-audit --no-fund --no-save --loglevel=error "amqplib@$amqplib_version" </dev/null >&2 ||
    fail "Missing: npm could not install amqplib $amqplib_version, one of the foreign clients."
}

find_amqp_tools() {
  command -v amqp-consume >/dev/null || install_packages amqp-tools
}
