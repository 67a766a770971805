# shellcheck shell=bash
# All that the live tests need, started and named in the environment; tests/live/src/lib.rs says what each variable is.
# Sourced by scripts that define `say` and `fail`, and call `stop_nodes` on their way out.

# shellcheck source=tests/broker/node.sh
source "${BASH_SOURCE[0]%/*}/node.sh"
# shellcheck source=tests/broker/pika.sh
source "${BASH_SOURCE[0]%/*}/pika.sh"

start_for_live_tests() {
  find_rabbitmq
  find_pika
  start_node quiet
  start_node disturbed
  await_node quiet
  await_node disturbed
  LEVERET_TEST_AMQP_URL=$(node_url quiet)
  LEVERET_TEST_DISTURBED_AMQP_URL=$(node_url disturbed)
  LEVERET_TEST_DISTURBED_RABBITMQCTL=$(node_control disturbed)
  LEVERET_TEST_PYTHON=$python
  export LEVERET_TEST_AMQP_URL LEVERET_TEST_DISTURBED_AMQP_URL LEVERET_TEST_DISTURBED_RABBITMQCTL LEVERET_TEST_PYTHON
}
