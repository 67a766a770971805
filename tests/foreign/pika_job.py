"""A job that Pika does on a broker: pika_job.py URL PREFIX. Names that it declares begin with PREFIX.

Ends with an error as soon as the broker does anything else than what is expected.
"""

import sys

import pika
import pika.exceptions

HEADERS = {"kind": "job", "attempt": 1, "tags": ["a", "b"], "nested": {"deep": True}}


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r} came, {expected!r} was expected")


def get(channel, queue):
    """The next message of a queue; None where there is none."""
    method, properties, body = channel.basic_get(queue)
    return method and (method, properties, body)


def declare(channel, prefix):
    exchange = prefix + ".exchange"
    channel.exchange_declare(exchange, "topic", auto_delete=True)
    queue = channel.queue_declare("", exclusive=True).method.queue
    expect("the server names queues", queue.startswith("amq.gen-"), True)
    channel.queue_bind(queue, exchange, "job.*.high")
    declared = channel.queue_declare(queue, passive=True).method
    expect("messages and consumers", (declared.message_count, declared.consumer_count), (0, 0))
    return exchange, queue


def publish(channel, exchange):
    """Publishes with confirms; what no queue takes comes back."""
    channel.confirm_delivery()
    for number in range(3):
        properties = pika.BasicProperties(headers=HEADERS, delivery_mode=2, message_id=str(number))
        channel.basic_publish(exchange, "job.dig.high", f"job {number}".encode(), properties, mandatory=True)
    try:
        channel.basic_publish(exchange, "job.dig.low", b"nobody's", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        returned = error.messages[0]
        expect("the reply code", returned.method.reply_code, 312)
        expect("the reply text", returned.method.reply_text, "NO_ROUTE")
        expect("the body that came back", returned.body, b"nobody's")
    else:
        sys.exit("an unroutable message was confirmed and did not come back")


def work(channel, exchange, queue):
    """Consumes one at a time: the first message is put back once, all are acknowledged."""
    channel.basic_qos(prefetch_count=1)
    seen = []
    for method, properties, body in channel.consume(queue, inactivity_timeout=10):
        if method is None:
            sys.exit(f"no delivery came any more; until then: {seen}")
        seen.append((body, method.redelivered))
        expect("the exchange", method.exchange, exchange)
        expect("the routing key", method.routing_key, "job.dig.high")
        expect("the headers", properties.headers, HEADERS)
        expect("the delivery mode", properties.delivery_mode, 2)
        if len(seen) == 1:
            channel.basic_nack(method.delivery_tag, requeue=True)
            continue
        channel.basic_ack(method.delivery_tag)
        if len(seen) == 4:
            break
    expect("deliveries", seen, [(b"job 0", False), (b"job 0", True), (b"job 1", False), (b"job 2", False)])
    expect("messages that cancelling puts back", channel.cancel(), 0)
    expect("the queue", get(channel, queue), None)


def fetch(channel, queue):
    """Gets a message, rejects it, gets it again, and purges another."""
    for body in (b"first", b"second"):
        channel.basic_publish("", queue, body, mandatory=True)
    method, _, body = get(channel, queue)
    expect("the message", (body, method.redelivered, method.message_count), (b"first", False, 1))
    channel.basic_reject(method.delivery_tag, requeue=True)
    method, _, body = get(channel, queue)
    expect("the message again", (body, method.redelivered), (b"first", True))
    channel.basic_ack(method.delivery_tag)
    expect("purged messages", channel.queue_purge(queue).method.message_count, 1)


def transact(channel, queue):
    """What is rolled back never was."""
    channel.tx_select()
    channel.basic_publish("", queue, b"rolled back")
    channel.tx_rollback()
    channel.basic_publish("", queue, b"committed")
    channel.tx_commit()
    expect("the message", get(channel, queue)[2], b"committed")
    expect("another one", get(channel, queue), None)


def be_refused(connection, virtual_host, prefix):
    """A refusal closes its channel and nothing else."""
    channel = connection.channel()
    missing = prefix + ".missing"
    try:
        channel.queue_declare(missing, passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        expect("the reply code", error.reply_code, 404)
        expect("the reply text", error.reply_text, f"NOT_FOUND - no queue '{missing}' in vhost '{virtual_host}'")
    else:
        sys.exit("a queue that does not exist was found")
    expect("the channel is closed", channel.is_closed, True)
    expect("the connection is open", connection.is_open, True)


def log_in_wrongly(parameters):
    parameters.credentials = pika.PlainCredentials("guest", "wrong")
    try:
        pika.BlockingConnection(parameters)
    except pika.exceptions.ProbableAuthenticationError as error:
        expect("the refusal", "ACCESS_REFUSED" in str(error), True)
    else:
        sys.exit("a wrong password was accepted")


def main():
    url, prefix = sys.argv[1:]
    parameters = pika.URLParameters(url if "/" in url.split("//")[1] else url + "/%2F")
    parameters.heartbeat = 5
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    exchange, queue = declare(channel, prefix)
    publish(channel, exchange)
    work(channel, exchange, queue)
    fetch(channel, queue)
    transact(connection.channel(), queue)
    be_refused(connection, parameters.virtual_host, prefix)
    # Several heartbeats: without those of either side the other would give up.
    connection.sleep(16)
    channel.queue_delete(queue)
    connection.close()
    log_in_wrongly(parameters)
    print("done")


main()
