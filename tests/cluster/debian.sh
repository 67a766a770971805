# shellcheck shell=bash
# A Debian of another version in a folder, for the RabbitMQ in it; sourced after tests/broker/rabbitmq.sh.

debian=

# Sets debian to a folder with this version of Debian and its rabbitmq-server; makes it below the target folder where there is
# none, in two or three minutes.
make_debian() {
  local version=$1 as_root=()
  debian=${target:?}/debian-$version
  [[ ! -e $debian/complete ]] || return 0
  [[ $(id -u) == 0 ]] || as_root=(sudo -n)
  command -v debootstrap >/dev/null || install_packages debootstrap
  say "No Debian $version in the target folder: making it there."
  "${as_root[@]}" rm -rf "$debian"
  "${as_root[@]}" debootstrap --variant=minbase --include=rabbitmq-server,ca-certificates,procps "$version" "$debian" \
    </dev/null >"$target/debian-$version.log" 2>&1 ||
    fail "Debian $version could not be made; debootstrap's own words are in $target/debian-$version.log."
  "${as_root[@]}" touch "$debian/complete"
}
