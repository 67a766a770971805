"""frames.txt: single frames of every kind, among them the frames to check by of the reference page."""

import pamqp.body
import pamqp.frame
import pamqp.header
import pamqp.heartbeat
import pika.frame

from . import notation as n
from .bindings import Call
from .encoders import PAMQP, PIKA, pamqp_header
from .properties import ALL, debug, pamqp_properties
from .vector import Vector

TITLE = "Single frames of every kind, and the frames of the reference page octet for octet."
KEYS = [
    "frame: kind and channel. value: a method as in methods.txt; `ContentHeader` with its properties; a body as octets.",
]
REFERENCE = "the project's reference page on the broker"


def vectors():
    yield Vector("protocol header", pamqp.header.ProtocolHeader().marshal(), PAMQP, frame="ProtocolHeader")
    yield Vector("heartbeat", pamqp.heartbeat.Heartbeat.marshal(), PAMQP, frame="Heartbeat 0")
    yield Vector("protocol header, pika", pika.frame.ProtocolHeader().marshal(), PIKA, frame="ProtocolHeader")
    yield Vector("heartbeat, pika", pika.frame.Heartbeat().marshal(), PIKA, frame="Heartbeat 0")
    yield from channels()
    yield from reference()


def channels():
    call = Call("channel.close-ok")
    yield Vector("the last channel", call.by_pamqp(65535), PAMQP, frame="Method 65535", value=call.debug())
    yield Vector("header, all properties", pamqp_header(258, 1 << 40, pamqp_properties(ALL)), PAMQP, frame="Header 258",
                 value=header(1 << 40, ALL))
    yield Vector("header, an empty body", pamqp_header(1, 0, pamqp_properties([])), PAMQP, frame="Header 1",
                 value=header(0, []))
    for name, octets in [("body, one octet", b"\xce"), ("body, octets of all kinds", bytes(range(256)))]:
        yield Vector(name, pamqp.frame.marshal(pamqp.body.ContentBody(octets), 7), PAMQP, frame="Body 7",
                     value=n.octets(octets))


def header(size, chosen):
    return f"ContentHeader {{ class: 60, body_size: {size} }} {debug(chosen)}"


def reference():
    for name, octets in [("protocol header", "414d515000000901"), ("heartbeat", "08000000000000ce")]:
        frame = "ProtocolHeader" if name == "protocol header" else "Heartbeat 0"
        yield Vector(f"reference, {name}", bytes.fromhex(octets), REFERENCE, frame=frame)
    for octets, name, arguments in methods():
        call = Call(name, **arguments)
        channel = 0 if name.startswith("connection.") else 1
        octets = bytes.fromhex(octets)
        if name != "channel.open":  # pamqp puts a "0" in its reserved field
            assert call.by_pamqp(channel) == octets, f"pamqp and the reference page differ on {name}"
        yield Vector(f"reference, {name}", octets, REFERENCE, frame=f"Method {channel}", value=call.debug())
    yield Vector("reference, header", bytes.fromhex("0200010000000f003c00000000000000000064100002ce"), REFERENCE,
                 frame="Header 1", value=header(100, [("delivery_mode", 2, "2")]))
    yield Vector("reference, body", bytes.fromhex("0300010000000b68656c6c6f20776f726c64ce"), REFERENCE, frame="Body 1",
                 value=n.octets(b"hello world"))


def methods():
    yield "0100000000000c000a001f07ff00020000003cce", "connection.tune-ok", {
        "channel_max": 2047, "frame_max": 131072, "heartbeat": 60}
    yield "01000000000008000a0028012f0000ce", "connection.open", {"virtual_host": "/"}
    yield "0100000000001a000a003200c80f4e6f726d616c2073687574646f776e00000000ce", "connection.close", {
        "reply_code": 200, "reply_text": "Normal shutdown"}
    yield "01000000000012000a003c0d6c6f77206f6e206d656d6f7279ce", "connection.blocked", {"reason": "low on memory"}
    yield "010001000000050014000a00ce", "channel.open", {}
    yield "010001000000100032000a000004746573740200000000ce", "queue.declare", {"queue": "test", "durable": True}
    yield "010001000000110032000b04746573740000000300000002ce", "queue.declare-ok", {
        "queue": "test", "message_count": 3, "consumer_count": 2}
    yield "010001000000140028000a000002657805746f7069630200000000ce", "exchange.declare", {
        "exchange": "ex", "exchange_type": "topic", "durable": True}
    yield "010001000000150028001e0000000007666f6f2e6261720000000000ce", "exchange.bind", {"routing_key": "foo.bar"}
    yield "0100010000000400280033ce", "exchange.unbind-ok", {}
    yield "01000100000018003c0014000004746573740763746167312e300200000000ce", "basic.consume", {
        "queue": "test", "consumer_tag": "ctag1.0", "no_ack": True}
    yield "0100010000000d003c0028000002657802726b01ce", "basic.publish", {
        "exchange": "ex", "routing_key": "rk", "mandatory": True}
    yield "0100010000001b003c003c0763746167312e3000000000000000010002657802726bce", "basic.deliver", {
        "consumer_tag": "ctag1.0", "delivery_tag": 1, "exchange": "ex", "routing_key": "rk"}
    yield "0100010000000d003c0050000000000000006401ce", "basic.ack", {"delivery_tag": 100, "multiple": True}
    yield "0100010000000d003c0078000000000000000203ce", "basic.nack", {
        "delivery_tag": 2, "multiple": True, "requeue": True}
    yield "010001000000050055000a00ce", "confirm.select", {}
