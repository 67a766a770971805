"""properties.txt: content headers with no property, each alone, and all."""

import pamqp.commands
import pamqp.header
import pika.spec

from . import notation as n
from .encoders import BY_HAND, PAMQP, PIKA, pamqp_table, pika_table
from .vector import Vector

TITLE = "Properties of the basic class: none, each alone, all."
KEYS = [
    "hex: flag words and values, as they stand at the end of a header frame. value: what `{:?}` of the Properties prints.",
    "decode-only: our encoder writes it otherwise, and why.",
]

HEADERS = [
    ("bytes", n.byte_array(b"ab")),
    ("count", n.integer("I32", 70_000)),
    ("nested", n.table(("void", n.void()))),
    ("text", n.long_string("x")),
]

# pamqp's name, the value, and how it prints; in the order of the flags.
ALL = [
    ("content_type", "application/json", '"application/json"'),
    ("content_encoding", "gzip", '"gzip"'),
    ("headers", HEADERS, n.entries_debug(HEADERS)),
    ("delivery_mode", 2, "2"),
    ("priority", 9, "9"),
    ("correlation_id", "c-1", '"c-1"'),
    ("reply_to", "amq.rabbitmq.reply-to", '"amq.rabbitmq.reply-to"'),
    ("expiration", "60000", '"60000"'),
    ("message_id", "m-1", '"m-1"'),
    ("timestamp", 1_700_000_000, "Timestamp(1700000000)"),
    ("message_type", "order.created", '"order.created"'),
    ("user_id", "guest", '"guest"'),
    ("app_id", "shop", '"shop"'),
]


def debug(chosen):
    """The notation: only what is present."""
    return n.struct("Properties", [("kind" if name == "message_type" else name, printed) for name, _, printed in chosen])


def pamqp_properties(chosen):
    return pamqp.commands.Basic.Properties(**{name: for_python(name, value, pamqp_table) for name, value, _ in chosen})


def pika_octets(chosen):
    """Flags and values; pika keeps what pamqp drops: an empty string, an empty table."""
    made = pika.spec.BasicProperties(**{
        "type" if name == "message_type" else name: for_python(name, value, pika_table) for name, value, _ in chosen
    })
    return b"".join(made.encode())


def for_python(name, value, table):
    match name:
        case "headers":
            return table(value)
        case "timestamp":
            return n.moment(value)
        case _:
            return value


def vectors():
    yield by_pamqp("none", [])
    for chosen in ALL:
        yield by_pamqp(f"{chosen[0]} alone".replace("message_type", "type"), [chosen])
    yield by_pamqp("all", ALL)
    yield by_pamqp("first and last", [ALL[0], ALL[-1]])
    yield by_pamqp("every second", ALL[::2])
    yield by_pika("headers, empty", [("headers", [], "{}")])
    yield by_pika("content_type, empty", [("content_type", "", '""')])
    yield by_pika("correlation_id, 255 octets", [("correlation_id", "c" * 255, n.text("c" * 255))])
    yield by_pika("delivery_mode and priority, largest octets",
                  [("delivery_mode", 255, "255"), ("priority", 255, "255")])
    yield by_pika("message_id, not UTF-8", [("message_id", b"\xff\xfe", n.octets(b"\xff\xfe"))])
    yield reference()
    yield reserved()
    yield second_word()


def by_pamqp(name, chosen):
    return Vector(name, pamqp_properties(chosen).marshal(), PAMQP, value=debug(chosen))


def by_pika(name, chosen):
    return Vector(name, pika_octets(chosen), PIKA, value=debug(chosen))


def reference():
    return Vector("reference, delivery mode 2", bytes.fromhex("100002"), "the project's reference page on the broker",
                  value="Properties { delivery_mode: 2 }")


def reserved():
    """The fourteenth property, once the cluster id, which validation in pamqp refuses."""
    made = pika.spec.BasicProperties(app_id="shop", cluster_id="old")
    return Vector("reserved property in use", b"".join(made.encode()), PIKA, value='Properties { app_id: "shop" }',
                  decode_only="the reserved property is skipped and never written")


def second_word():
    return Vector("a second flag word without flags", bytes.fromhex("1001000002"), BY_HAND,
                  value="Properties { delivery_mode: 2 }", decode_only="an empty second word is never written")
