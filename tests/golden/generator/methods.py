"""methods.txt: a method frame for every method of the standard and of RabbitMQ's extensions."""

import struct

from . import notation as n
from .bindings import Call, by_pamqp, by_pika
from .encoders import BY_HAND, pamqp_frame, raw_frame
from .vector import Vector

TITLE = "A method frame for every method of AMQP 0-9-1 and of RabbitMQ's extensions."
KEYS = [
    "hex: the whole frame; `61*20` is 20 times that octet. value: the method's name and what `{:?}` of its struct prints.",
    "secret: the field that `value` redacts, and its octets. decode-only: our encoder writes it otherwise, and why.",
]

CLIENT_PROPERTIES = [
    (
        "capabilities",
        n.table(
            ("authentication_failure_close", n.boolean(True)),
            ("basic.nack", n.boolean(True)),
            ("connection.blocked", n.boolean(True)),
            ("consumer_cancel_notify", n.boolean(True)),
            ("exchange_exchange_bindings", n.boolean(True)),
            ("publisher_confirms", n.boolean(True)),
        ),
    ),
    ("product", n.long_string("leveret")),
    ("version", n.long_string("0.1.0")),
]
SERVER_PROPERTIES = [
    (
        "capabilities",
        n.table(
            ("per_consumer_qos", n.boolean(True)),
            ("publisher_confirms", n.boolean(True)),
        ),
    ),
    ("cluster_name", n.long_string("rabbit@node")),
    ("product", n.long_string("RabbitMQ")),
    ("version", n.long_string("4.0.5")),
]
QUEUE_ARGUMENTS = [
    ("x-dead-letter-exchange", n.long_string("dlx")),
    ("x-expires", n.integer("I32", 3_600_000)),
    ("x-max-length-bytes", n.integer("I64", 1 << 40)),
    ("x-max-priority", n.integer("I8", 10)),
    ("x-message-ttl", n.integer("U16", 60_000)),
    ("x-single-active-consumer", n.boolean(True)),
]
HEADERS_MATCH = [("format", n.long_string("pdf")), ("x-match", n.long_string("all"))]


def vectors():
    yield from connection()
    yield from channel()
    yield from exchange()
    yield from queue()
    yield from basic()
    yield from basic_from_server()
    yield from modes()
    yield from reserved_fields_in_use()


def connection():
    yield by_pamqp(
        "connection.start", "connection.start", version_minor=9, server_properties=SERVER_PROPERTIES,
        mechanisms="PLAIN AMQPLAIN", locales="en_US",
    )
    yield by_pika("connection.start, no properties", "connection.start", version_minor=9, mechanisms="EXTERNAL")
    yield by_pamqp(
        "connection.start-ok, PLAIN", "connection.start-ok", client_properties=CLIENT_PROPERTIES, mechanism="PLAIN",
        response="\0guest\0guest", locale="en_US",
    )
    yield by_pika("connection.start-ok, EXTERNAL", "connection.start-ok", mechanism="EXTERNAL", locale="en_US")
    yield by_pamqp("connection.secure", "connection.secure", challenge="Please answer: ü")
    yield by_pamqp("connection.secure-ok", "connection.secure-ok", response="the answer")
    yield by_pamqp("connection.tune", "connection.tune", channel_max=2047, frame_max=131072, heartbeat=60)
    yield by_pika("connection.tune, largest", "connection.tune", channel_max=65535, frame_max=(1 << 32) - 1,
                  heartbeat=65535)
    yield by_pamqp("connection.tune-ok", "connection.tune-ok", channel_max=2047, frame_max=131072, heartbeat=60)
    yield by_pamqp("connection.open", "connection.open", virtual_host="/")
    yield by_pika("connection.open, a named host", "connection.open", virtual_host="vh ü")
    yield by_pamqp("connection.open-ok", "connection.open-ok")
    yield by_pamqp("connection.close, normal", "connection.close", reply_code=200, reply_text="Normal shutdown")
    yield by_pamqp(
        "connection.close, an error", "connection.close", reply_code=530, class_id=10, method_id=40,
        reply_text="NOT_ALLOWED - vhost \"nope\" not found",
    )
    yield by_pika("connection.close, an unknown code", "connection.close", reply_code=999, reply_text="")
    yield by_pamqp("connection.close-ok", "connection.close-ok")
    yield by_pamqp("connection.blocked", "connection.blocked", reason="low on memory")
    yield by_pamqp("connection.unblocked", "connection.unblocked")
    yield by_pamqp("connection.update-secret", "connection.update-secret", new_secret="token-2", reason="expired")
    yield by_pamqp("connection.update-secret-ok", "connection.update-secret-ok")


def channel():
    # pamqp insists on a "0" in the reserved field.
    yield by_pika("channel.open", "channel.open")
    yield by_pika("channel.open-ok", "channel.open-ok")
    yield by_pamqp("channel.flow, off", "channel.flow")
    yield by_pamqp("channel.flow, on", "channel.flow", active=True)
    yield by_pamqp("channel.flow-ok, off", "channel.flow-ok")
    yield by_pamqp("channel.flow-ok, on", "channel.flow-ok", active=True)
    yield by_pamqp(
        "channel.close", "channel.close", reply_code=404, class_id=60, method_id=20,
        reply_text="NOT_FOUND - no queue 'nope' in vhost '/'",
    )
    yield by_pamqp("channel.close-ok", "channel.close-ok")


def exchange():
    for flag in ["passive", "durable", "auto_delete", "internal", "nowait"]:
        yield by_pamqp(
            f"exchange.declare, {flag}", "exchange.declare", exchange="ex", exchange_type="topic", **{flag: True},
        )
    yield by_pamqp(
        "exchange.declare, everything", "exchange.declare", exchange="logs", exchange_type="x-delayed-message",
        passive=True, durable=True, auto_delete=True, internal=True, nowait=True,
        arguments=[("alternate-exchange", n.long_string("lost")), ("x-delayed-type", n.long_string("direct"))],
    )
    yield by_pamqp("exchange.declare-ok", "exchange.declare-ok")
    yield by_pamqp("exchange.delete", "exchange.delete", exchange="ex")
    yield by_pamqp("exchange.delete, if_unused", "exchange.delete", exchange="ex", if_unused=True)
    yield by_pamqp("exchange.delete, nowait", "exchange.delete", exchange="ex", nowait=True)
    yield by_pamqp("exchange.delete-ok", "exchange.delete-ok")
    for verb in ["bind", "unbind"]:
        method = f"exchange.{verb}"
        yield by_pamqp(method, method, destination="to", source="from", routing_key="foo.bar")
        yield by_pamqp(
            f"{method}, everything", method, destination="to", source="from", routing_key="ü.#", nowait=True,
            arguments=HEADERS_MATCH,
        )
        yield by_pamqp(f"{method}-ok", f"{method}-ok")


def queue():
    for flag in ["passive", "durable", "exclusive", "auto_delete", "nowait"]:
        yield by_pamqp(f"queue.declare, {flag}", "queue.declare", queue="test", **{flag: True})
    yield by_pamqp("queue.declare, named by the server", "queue.declare", exclusive=True)
    yield by_pamqp("queue.declare, arguments", "queue.declare", queue="test", durable=True, arguments=QUEUE_ARGUMENTS)
    yield by_pika(
        "queue.declare, arguments in their own order", "queue.declare", queue="test", durable=True,
        arguments=[
            ("x-queue-type", n.long_string("quorum")),
            ("x-delivery-limit", n.integer("I32", 3)),
            ("x-max-length-bytes", n.integer("I64", 1 << 33)),
        ],
    )
    yield by_pika("queue.declare, a name of 200 octets", "queue.declare", queue="q" * 200)
    yield by_pika("queue.declare, a name with a space, a slash and a letter outside ASCII", "queue.declare",
                  queue="a b/ü#")
    yield by_pamqp("queue.declare-ok", "queue.declare-ok", queue="test", message_count=3, consumer_count=2)
    yield by_pamqp("queue.declare-ok, largest", "queue.declare-ok", queue="amq.gen-JzTY20BRgKO-HjmUJj0wLg",
                   message_count=(1 << 32) - 1, consumer_count=(1 << 31))
    yield by_pamqp("queue.bind", "queue.bind", queue="test", exchange="logs", routing_key="a.*.c")
    yield by_pamqp("queue.bind, everything", "queue.bind", queue="test", exchange="logs", routing_key="", nowait=True,
                   arguments=HEADERS_MATCH)
    yield by_pamqp("queue.bind-ok", "queue.bind-ok")
    yield by_pamqp("queue.unbind", "queue.unbind", queue="test", exchange="logs", routing_key="a.*.c")
    yield by_pamqp("queue.unbind, arguments", "queue.unbind", queue="test", exchange="logs", arguments=HEADERS_MATCH)
    yield by_pamqp("queue.unbind-ok", "queue.unbind-ok")
    yield by_pamqp("queue.purge", "queue.purge", queue="test")
    yield by_pamqp("queue.purge, nowait", "queue.purge", queue="test", nowait=True)
    yield by_pamqp("queue.purge-ok", "queue.purge-ok", message_count=12)
    yield by_pamqp("queue.delete", "queue.delete", queue="test")
    for flag in ["if_unused", "if_empty", "nowait"]:
        yield by_pamqp(f"queue.delete, {flag}", "queue.delete", queue="test", **{flag: True})
    yield by_pamqp("queue.delete-ok", "queue.delete-ok", message_count=70_000)


def basic():
    yield by_pamqp("basic.qos", "basic.qos", prefetch_count=250)
    yield by_pamqp("basic.qos, everything", "basic.qos", prefetch_size=(1 << 32) - 1, prefetch_count=65535, global_=True)
    yield by_pamqp("basic.consume", "basic.consume", queue="test", consumer_tag="ctag1.0")
    for flag in ["no_local", "no_ack", "exclusive", "nowait"]:
        yield by_pamqp(f"basic.consume, {flag}", "basic.consume", queue="test", **{flag: True})
    yield by_pika("basic.consume, priority", "basic.consume", queue="test", consumer_tag="ctag1.0",
                  arguments=[("x-priority", n.integer("I32", -5))])
    yield by_pamqp("basic.cancel", "basic.cancel", consumer_tag="ctag1.0")
    yield by_pamqp("basic.cancel, nowait", "basic.cancel", consumer_tag="ctag1.0", nowait=True)
    yield by_pamqp("basic.cancel-ok", "basic.cancel-ok", consumer_tag="ctag1.0")
    yield by_pamqp("basic.publish", "basic.publish", routing_key="hello")
    yield by_pamqp("basic.publish, mandatory", "basic.publish", exchange="ex", routing_key="rk", mandatory=True)
    yield by_pamqp("basic.publish, immediate", "basic.publish", exchange="ex", routing_key="rk", immediate=True)
    yield by_pamqp("basic.publish, a routing key of 255 octets", "basic.publish", routing_key="k" * 255)
    yield by_pika("basic.publish, a routing key that is not UTF-8", "basic.publish", routing_key=b"\xff\0\"k\\")
    yield by_pamqp("basic.get", "basic.get", queue="test")
    yield by_pamqp("basic.get, no_ack", "basic.get", queue="test", no_ack=True)
    yield by_pamqp("basic.ack", "basic.ack", delivery_tag=1)
    yield by_pamqp("basic.ack, multiple", "basic.ack", delivery_tag=100, multiple=True)
    yield by_pamqp("basic.reject", "basic.reject", delivery_tag=7)
    yield by_pamqp("basic.reject, requeue", "basic.reject", delivery_tag=7, requeue=True)
    yield by_pamqp("basic.recover-async", "basic.recover-async")
    yield by_pamqp("basic.recover-async, requeue", "basic.recover-async", requeue=True)
    yield by_pamqp("basic.recover", "basic.recover")
    yield by_pamqp("basic.recover, requeue", "basic.recover", requeue=True)
    yield by_pamqp("basic.nack", "basic.nack", delivery_tag=2)
    yield by_pamqp("basic.nack, multiple", "basic.nack", delivery_tag=2, multiple=True)
    yield by_pamqp("basic.nack, requeue", "basic.nack", delivery_tag=2, requeue=True)
    yield by_pamqp("basic.nack, multiple and requeue", "basic.nack", delivery_tag=2, multiple=True, requeue=True)


def basic_from_server():
    yield by_pamqp("basic.qos-ok", "basic.qos-ok")
    yield by_pamqp("basic.consume-ok", "basic.consume-ok", consumer_tag="amq.ctag-8p2wXmH1")
    yield by_pamqp("basic.return", "basic.return", reply_code=312, reply_text="NO_ROUTE", exchange="ex",
                   routing_key="nowhere")
    yield by_pamqp("basic.deliver", "basic.deliver", consumer_tag="ctag1.0", delivery_tag=1, exchange="ex",
                   routing_key="rk")
    yield by_pamqp("basic.deliver, redelivered", "basic.deliver", consumer_tag="ctag1.0", delivery_tag=(1 << 63) - 1,
                   redelivered=True, routing_key="hello")
    # pamqp reads and writes a delivery tag as a signed number.
    yield by_pika("basic.deliver, the largest tag", "basic.deliver", consumer_tag="", delivery_tag=(1 << 64) - 1,
                  exchange="", routing_key="hello")
    yield by_pamqp("basic.get-ok", "basic.get-ok", delivery_tag=4, exchange="ex", routing_key="rk", message_count=9)
    yield by_pamqp("basic.get-ok, redelivered", "basic.get-ok", delivery_tag=4, redelivered=True, routing_key="rk")
    yield by_pamqp("basic.get-empty", "basic.get-empty")
    yield by_pamqp("basic.recover-ok", "basic.recover-ok")


def modes():
    for verb in ["select", "commit", "rollback"]:
        yield by_pamqp(f"tx.{verb}", f"tx.{verb}")
        yield by_pamqp(f"tx.{verb}-ok", f"tx.{verb}-ok")
    yield by_pamqp("confirm.select", "confirm.select")
    yield by_pamqp("confirm.select, nowait", "confirm.select", nowait=True)
    yield by_pamqp("confirm.select-ok", "confirm.select-ok")


def reserved_fields_in_use():
    """Peers may leave something in a reserved field; it is skipped, and written as zero."""
    note = "reserved fields are written as zero"
    opened = Call("channel.open")
    yield Vector("channel.open, reserved field in use", pamqp_frame(1, opened.pamqp()), "pamqp 4.0.1",
                 value=opened.debug(), decode_only=note)
    answered = Call("channel.open-ok")
    yield Vector("channel.open-ok, reserved field in use", pamqp_frame(1, answered.pamqp()), "pamqp 4.0.1",
                 value=answered.debug(), decode_only=note)
    declared = Call("queue.declare", queue="q", durable=True)
    payload = struct.pack(">HHH", 50, 10, 0x1234) + b"\x01q\x02" + bytes(4)
    yield Vector("queue.declare, ticket in use", raw_frame(1, 1, payload), BY_HAND, value=declared.debug(),
                 decode_only=note)
    payload = struct.pack(">HHH", 50, 10, 0) + b"\x01q\xe2" + bytes(4)
    yield Vector("queue.declare, spare bits set", raw_frame(1, 1, payload), BY_HAND, value=declared.debug(),
                 decode_only="bits that no field has are written as zero")
    opened = Call("connection.open", virtual_host="/")
    payload = struct.pack(">HH", 10, 40) + b"\x01/" + b"\x03cap" + b"\x01"
    yield Vector("connection.open, reserved fields in use", raw_frame(1, 0, payload), BY_HAND, value=opened.debug(),
                 decode_only=note)
