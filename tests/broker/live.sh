# shellcheck shell=bash
# All that the live tests need, started and named in the environment; tests/live/src/lib.rs says what each variable is.
# Sourced by scripts that define `say` and `fail`, and call `stop_nodes` on their way out.

# shellcheck source=tests/broker/node.sh
source "${BASH_SOURCE[0]%/*}/node.sh"
# shellcheck source=tests/broker/pika.sh
source "${BASH_SOURCE[0]%/*}/pika.sh"
# shellcheck source=tests/broker/foreign.sh
source "${BASH_SOURCE[0]%/*}/foreign.sh"

# The clients that the scenarios set beside leveret; they need no RabbitMQ.
find_foreign_clients() {
  find_pika
  find_amqplib
  find_amqp_tools
  LEVERET_TEST_PYTHON=$python
  LEVERET_TEST_NODE_MODULES=$node_modules
  export LEVERET_TEST_PYTHON LEVERET_TEST_NODE_MODULES
}

start_for_live_tests() {
  find_rabbitmq
  find_foreign_clients
  make_certificates
  start_node quiet "'tlsv1.3', 'tlsv1.2'" server
  # RabbitMQ's own demonstration of a mechanism with a challenge.
  start_node disturbed "'tlsv1.2'" named ", 'RABBIT-CR-DEMO'"
  await_node quiet
  await_node disturbed
  LEVERET_TEST_BROKER=rabbitmq
  LEVERET_TEST_AMQP_URL=$(node_url quiet)
  LEVERET_TEST_RABBITMQCTL=$(node_control quiet)
  LEVERET_TEST_LOG=$(node_log quiet)
  LEVERET_TEST_DISTURBED_AMQP_URL=$(node_url disturbed)
  LEVERET_TEST_DISTURBED_RABBITMQCTL=$(node_control disturbed)
  LEVERET_TEST_AMQPS_URL=$(node_tls_url quiet)
  LEVERET_TEST_TLS12_AMQPS_URL=$(node_tls_url disturbed)
  LEVERET_TEST_CERTIFICATES=$certificates
  export LEVERET_TEST_BROKER LEVERET_TEST_AMQP_URL LEVERET_TEST_RABBITMQCTL LEVERET_TEST_LOG
  export LEVERET_TEST_DISTURBED_AMQP_URL LEVERET_TEST_DISTURBED_RABBITMQCTL
  export LEVERET_TEST_AMQPS_URL LEVERET_TEST_TLS12_AMQPS_URL LEVERET_TEST_CERTIFICATES
}
