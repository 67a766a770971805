"""The other side of the scenarios in scenarios/interop.rs: pika_peer.py send|receive URL QUEUE.

Sends the messages that are described there, or receives them and compares; a difference ends it with an error.
"""

import datetime
import decimal
import itertools
import sys

import pika

HEADERS = {
    "array": [1, "x", True, None],
    "bool": True,
    "decimal": decimal.Decimal("3.14"),
    "int": -7,
    "long": 5_000_000_000,
    "octets": bytes([0, 255, 206]),
    "string": "ü",
    "table": {"a": "b"},
    "timestamp": datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.timezone.utc),
    "void": None,
}
PROPERTIES = {
    "content_type": "text/plain",
    "content_encoding": "utf-8",
    "headers": HEADERS,
    "delivery_mode": 2,
    "priority": 3,
    "correlation_id": "correlation",
    "reply_to": "reply",
    "expiration": "600000",
    "message_id": "message",
    "timestamp": 1_700_000_000,
    "type": "kind",
    "app_id": "app",
}
BODIES = [b"", "Grüße".encode(), bytes(itertools.islice(itertools.cycle(range(256)), 300_000))]


def send(channel, queue):
    channel.confirm_delivery()
    for body in BODIES:
        channel.basic_publish("", queue, body, pika.BasicProperties(**PROPERTIES), mandatory=True)


def receive(channel, queue):
    for number, body in enumerate(BODIES):
        method, properties, received = channel.basic_get(queue)
        if method is None:
            sys.exit(f"message {number} did not come")
        if received != body:
            sys.exit(f"message {number}: {len(received)} octets came, {len(body)} were sent, or they differ")
        compare(properties)
        channel.basic_ack(method.delivery_tag)


def compare(properties):
    for name, expected in PROPERTIES.items():
        found = getattr(properties, name)
        if name == "headers":
            # Depending on its version Pika reads timestamps with or without their zone: both are UTC.
            found = {key: with_zone(value) for key, value in found.items()}
        if found != expected:
            sys.exit(f"{name}: {found!r} came, {expected!r} was expected")


def with_zone(value):
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=datetime.timezone.utc)
    return value


def main():
    job, url, queue = sys.argv[1:]
    connection = pika.BlockingConnection(pika.URLParameters(url if "/" in url[8:] else url + "/%2F"))
    {"send": send, "receive": receive}[job](connection.channel(), queue)
    connection.close()


main()
