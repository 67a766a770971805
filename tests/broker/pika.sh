# shellcheck shell=bash
# Where a Python with Pika is, the independent client of the scenarios of exchange between clients; sourced after
# node.sh.

pika_version=1.3.2

# Sets python to an interpreter that imports pika; makes one in the target folder where there is none.
find_pika() {
  local own
  own=$(realpath -m "${CARGO_TARGET_DIR:-target}")/pika
  for python in python3 "$own/bin/python3"; do
    if "$python" -c 'import pika' 2>/dev/null; then
      python=$(command -v "$python")
      return
    fi
  done
  say 'No Pika on this machine: installing it in a virtual environment in the target folder.'
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3 python3-venv
  rm -rf "$own"
  python3 -m venv "$own" || fail "Missing: python3 with venv (Debian's python3-venv)."
  "$own/bin/pip" install --quiet --disable-pip-version-check "pika==$pika_version" </dev/null ||
    fail "Missing: pip could not install pika $pika_version, which the scenarios of exchange with Pika need."
  python=$own/bin/python3
}
