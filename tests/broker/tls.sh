# shellcheck shell=bash
# The TLS side of the private nodes: certificates made anew, and what a node does with them; sourced by node.sh.

# A folder among the nodes'; tests/certificates/src/main.rs says what each file in it is.
certificates=

# Needs cargo.
make_certificates() {
  prepare_nodes
  # With the workspace's selection of features, so that its dependencies are those of the tests.
  (
    cd "${BASH_SOURCE[0]%/*}/../.."
    cargo build --quiet --workspace --all-features --bin leveret-test-certificates </dev/null >&2 &&
      "${CARGO_TARGET_DIR:-target}/debug/leveret-test-certificates" "$certificates" >&2
  ) ||
    fail 'The certificates of the live tests could not be made: see above.'
}

# Prints a node's advanced.config: a TLS port beside the plain one, for these versions of TLS, with a certificate. The
# port asks for a client's certificate and does without; the server names that a client asks for change that:
#   expired.test: a certificate that has expired
#   mutual.test:  a client without a certificate is refused
# On the plain port RabbitMQ offers no EXTERNAL, whatever is listed here.
tls_settings() {
  local port=$1 versions=$2 certificate=$3 mechanisms=$4
  cat <<EOF
[{rabbit, [
  {auth_mechanisms, ['PLAIN', 'AMQPLAIN', 'EXTERNAL'$mechanisms]},
  {ssl_cert_login_from, common_name},
  {ssl_listeners, [{"127.0.0.1", $port}]},
  {ssl_options, [
    {versions, [$versions]},
    {cacertfile, "$certificates/authority.pem"},
    {certfile, "$certificates/$certificate.pem"},
    {keyfile, "$certificates/$certificate.key"},
    {verify, verify_peer},
    {fail_if_no_peer_cert, false},
    {sni_hosts, [
      {"expired.test", [
        {certfile, "$certificates/expired.pem"},
        {keyfile, "$certificates/expired.key"}]},
      {"mutual.test", [
        {fail_if_no_peer_cert, true}]}
    ]}
  ]}
]}].
EOF
}

# Prints what is in a node from its start: the usual user, and the one of the client certificates, who has no password.
definitions() {
  cat <<'EOF'
{
  "vhosts": [{"name": "/"}],
  "users": [
    {"name": "guest", "password": "guest", "tags": "administrator"},
    {"name": "mole", "password_hash": "", "tags": ""}
  ],
  "permissions": [
    {"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
    {"user": "mole", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
  ]
}
EOF
}
