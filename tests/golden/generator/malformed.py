"""malformed.txt: octets that must be refused, each with its error."""

import struct

from .bindings import Call
from .encoders import BY_HAND, PAMQP, pamqp_body, pamqp_header, raw_frame
from .properties import ALL, pamqp_properties
from .values import nested_arrays, nested_tables
from .vector import Vector

TITLE = "Octets that must be refused, each with its error."
KEYS = [
    "reader: what refuses them: `frame` (the decoder, frame_max 4096), `method` (ids and arguments of a method frame),",
    "`header` (a content header frame), `table`, `properties`, or `connection` (well-formed frames in the wrong place,",
    "with channel 1 open). error: what `{:?}` of the error, or of its kind, prints. reply-code: what the",
    "connection is closed with, where something can still be sent.",
]

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_MAX = 4096


def vectors():
    yield from frame_errors()
    yield from header_errors()
    yield from method_errors()
    yield from value_errors()
    yield from property_errors()
    yield from misplaced()


def bad(name, octets, reader, error, reply_code, source=BY_HAND):
    return Vector(name, octets, source, reader=reader, error=error, reply_code=reply_code)


def frame_errors():
    for kind in [0, 4, 5, 6, 7, 9, 0x41, 0xCE, 0xFF]:
        yield bad(f"frame type {kind}", raw_frame(kind, 1, b""), "frame", f"UnknownType({kind})", 501)
    good = Call("basic.ack", delivery_tag=1).by_pamqp(1)
    for end in [0x00, 0xCF, 0x01]:
        yield bad(f"a method that ends with {end:#04x}", good[:-1] + bytes([end]), "frame",
                  f"MissingFrameEnd({end})", 501)
    yield bad("a heartbeat that ends with 0x00", raw_frame(HEARTBEAT, 0, b"", 0), "frame", "MissingFrameEnd(0)", 501)
    yield bad("a size one short of the payload", struct.pack(">BHI", BODY, 1, 3) + b"abcd\xce", "frame",
              f"MissingFrameEnd({ord('d')})", 501)
    over = FRAME_MAX - 7
    too_large = f"TooLarge {{ size: {over}, max: {FRAME_MAX - 8} }}"
    yield bad("a body one octet over the limit", raw_frame(BODY, 1, b"a" * over), "frame", too_large, 501)
    yield bad("a method one octet over the limit", raw_frame(METHOD, 1, b"a" * over), "frame", too_large, 501)
    largest = (1 << 32) - 1
    yield bad("the largest size there is, and nothing behind it", struct.pack(">BHI", BODY, 1, largest), "frame",
              f"TooLarge {{ size: {largest}, max: {FRAME_MAX - 8} }}", 501)
    yield bad("a header frame of 16 MiB", struct.pack(">BHI", HEADER, 1, 1 << 24), "frame",
              f"TooLarge {{ size: {1 << 24}, max: {128 * 1024} }}", 501)
    yield bad("a heartbeat on channel 1", raw_frame(HEARTBEAT, 1, b""), "frame", "HeartbeatOnChannel(1)", 501)
    yield bad("a heartbeat with a payload", raw_frame(HEARTBEAT, 0, b"\0"), "frame", "HeartbeatWithPayload(1)", 501)
    yield bad("a protocol header of AMQP 1.0", b"AMQP\x00\x01\x00\x00", "frame", "ProtocolHeader([0, 1, 0, 0])", None)
    yield bad("a protocol header of 0-9-1", b"AMQP\x00\x00\x09\x01", "frame", "ProtocolHeader([0, 0, 9, 1])", None)
    yield bad("HTTP", b"HTTP/1.1 400 Bad Request\r\n", "frame", "UnknownType(72)", 501)
    yield bad("TLS alert", bytes.fromhex("15030100020246"), "frame", "UnknownType(21)", 501)


def header_errors():
    yield bad("an empty header", raw_frame(HEADER, 1, b""), "header", "HeaderTooShort(0)", 502)
    yield bad("a header of 11 octets", raw_frame(HEADER, 1, b"\x00\x3c" + bytes(9)), "header", "HeaderTooShort(11)", 502)
    yield bad("a header with a weight", raw_frame(HEADER, 1, struct.pack(">HHQH", 60, 1, 0, 0)), "header",
              "HeaderWeight(1)", 502)
    yield bad("a header without flags", raw_frame(HEADER, 1, struct.pack(">HHQ", 60, 0, 5)), "header", "Truncated", 502)


def method_errors():
    for size in range(4):
        yield bad(f"a method of {size} octets", raw_frame(METHOD, 1, bytes([0, 60, 0])[:size]), "method",
                  f"MethodTooShort({size})", 502)
    for class_id, method_id in [(0, 0), (60, 0), (60, 9), (40, 41), (30, 10), (50, 60), (65535, 65535), (15360, 2560)]:
        yield bad(f"method {class_id}.{method_id}", raw_frame(METHOD, 1, struct.pack(">HH", class_id, method_id)),
                  "method", f"UnknownMethod {{ class: {class_id}, method: {method_id} }}", 540)
    yield from cut_short()
    for name, payload in [
        ("tx.select", Call("tx.select").by_pamqp(1)),
        ("basic.ack", Call("basic.ack", delivery_tag=1).by_pamqp(1)),
        ("queue.declare", Call("queue.declare", queue="q").by_pamqp(1)),
    ]:
        yield bad(f"{name} with an octet too many", raw_frame(METHOD, 1, payload[7:-1] + b"\0"), "method",
                  "TrailingOctets", 502)


def cut_short():
    """Methods whose payload ends inside each kind of argument."""
    for name, what, keep in [
        ("connection.tune", "a long", {"octets": 4 + 2 + 3}),
        ("basic.ack", "a delivery tag", {"octets": 4 + 7}),
        ("basic.ack", "the bits", {"octets": 4 + 8}),
        ("queue.declare", "the reserved short", {"octets": 4 + 1}),
        ("queue.declare", "the length of a table", {"octets": 4 + 2 + 1 + 1 + 3}),
    ]:
        payload = Call(name).by_pamqp(1)[7:-1][: keep["octets"]]
        yield bad(f"{name} cut short inside {what}", raw_frame(METHOD, 1, payload), "method", "Truncated", 502, f"{PAMQP}, cut by hand")
    for name, what, payload in [
        ("queue.declare", "a short string that reaches beyond the end", struct.pack(">HHHB", 50, 10, 0, 5) + b"test"),
        ("connection.blocked", "a short string of 255 octets that are not there", struct.pack(">HHB", 10, 60, 255)),
        ("connection.secure", "a long string that reaches beyond the end", struct.pack(">HHI", 10, 20, 3) + b"ab"),
        ("connection.secure", "a long string of 4 GiB", struct.pack(">HHI", 10, 20, (1 << 32) - 1)),
        ("queue.unbind", "a table that reaches beyond the end", struct.pack(">HHHBBBI", 50, 50, 0, 0, 0, 0, 1)),
        ("queue.unbind", "a table of 4 GiB", struct.pack(">HHHBBBI", 50, 50, 0, 0, 0, 0, (1 << 32) - 1)),
    ]:
        yield bad(f"{name}, {what}", raw_frame(METHOD, 1, payload), "method", "Truncated", 502)


def value_errors():
    def table(name, entries, error):
        return bad(name, struct.pack(">I", len(entries)) + entries, "table", error, 502)

    for code in [0x00, 0x61, 0x40, 0x7A, 0xFF]:
        yield table(f"type code {code:#04x}", b"\x01k" + bytes([code]), f"UnknownTypeCode({code})")
    yield table("type code inside an array", b"\x01kA\x00\x00\x00\x01?", f"UnknownTypeCode({ord('?')})")
    yield table("a key without a value", b"\x01k", "Truncated")
    yield table("a key that reaches beyond the table", b"\x05k", "Truncated")
    for code, size in [("t", 1), ("b", 1), ("B", 1), ("s", 2), ("u", 2), ("I", 4), ("i", 4), ("l", 8), ("L", 8),
                       ("f", 4), ("d", 8), ("D", 5), ("T", 8), ("S", 4), ("x", 4), ("A", 4), ("F", 4)]:
        yield table(f"{code} cut short", b"\x01k" + code.encode() + bytes(size - 1), "Truncated")
    for code in "SxAF":
        yield table(f"{code} that reaches beyond the table", b"\x01k" + code.encode() + struct.pack(">I", 3) + b"\1k",
                    "Truncated")
        yield table(f"{code} of 4 GiB", b"\x01k" + code.encode() + b"\xff" * 4, "Truncated")
    # What is inside must not read on into what surrounds it.
    yield table("an inner table that ends inside a value", b"\x01kF\x00\x00\x00\x04\x01kI\x00" + b"\x01jV", "Truncated")
    yield table("an array that ends inside a value", b"\x01kA\x00\x00\x00\x02I\x00" + b"\x01jV", "Truncated")
    yield table("tables one deeper than allowed", nested_tables(64)[0], "NestedTooDeep")
    yield table("arrays one deeper than allowed", nested_arrays(64)[0], "NestedTooDeep")
    yield table("tables 700 deep", nested_tables(700)[0], "NestedTooDeep")


def property_errors():
    for flags in ["0002", "8002"]:
        yield bad(f"property flags {flags}", bytes.fromhex(flags) + b"\x00", "properties",
                  f"UnknownPropertyFlags({int(flags, 16)})", 502)
    yield bad("a second flag word that is not there", bytes.fromhex("0001"), "properties", "Truncated", 502)
    yield bad("a flag of the second word", bytes.fromhex("00018000"), "properties", "UnknownPropertyFlags(32768)", 502)
    yield bad("half a flag word", b"\x80", "properties", "Truncated", 502)
    yield bad("a content type that is not there", bytes.fromhex("8000"), "properties", "Truncated", 502)
    yield bad("a timestamp cut short", bytes.fromhex("0040") + bytes(7), "properties", "Truncated", 502)
    yield bad("headers that reach beyond the end", bytes.fromhex("2000") + b"\x00\x00\x00\x09\x01kV", "properties",
              "Truncated", 502)
    yield bad("octets after the last property", bytes.fromhex("10000200"), "properties", "TrailingOctets", 502)


def misplaced():
    def frames(name, octets, error, reply_code):
        return bad(name, octets, "connection", error, reply_code, f"{PAMQP}, rearranged by hand")

    # A method with content that needs nothing before it.
    back = Call("basic.return", reply_code=312, reply_text="NO_ROUTE", routing_key="rk").by_pamqp(1)
    header = pamqp_header(1, 5, pamqp_properties([]))
    foreign = raw_frame(HEADER, 1, struct.pack(">HHQH", 90, 0, 5, 0))
    body = pamqp_body(1, FRAME_MAX, b"hello")
    yield frames("a body without a header", back + body, "UnexpectedContent(1)", 505)
    yield frames("a body out of nowhere", body, "UnexpectedContent(1)", 505)
    yield frames("a header out of nowhere", header, "UnexpectedContent(1)", 505)
    yield frames("a method where a header is due", back + back, "ContentExpected(1)", 505)
    yield frames("a method where a body is due", back + header + back, "ContentExpected(1)", 505)
    yield frames("a second header", back + header + header, "UnexpectedContent(1)", 505)
    yield frames("a body longer than announced", back + header + body + body, "UnexpectedContent(1)", 505)
    yield frames("a body frame that overruns", back + pamqp_header(1, 4, pamqp_properties([])) + body,
                 "BodyTooLong(1)", 505)
    yield frames("a header of another class", back + foreign, "WrongContentClass(90)", 501)
    yield frames("a header on channel 0", pamqp_header(0, 5, pamqp_properties([ALL[3]])), "NotOnChannelZero", 504)
    yield frames("a body on channel 0", pamqp_body(0, FRAME_MAX, b"hello"), "NotOnChannelZero", 504)
    yield frames("a channel method on channel 0", Call("channel.close-ok").by_pamqp(0), "NotOnChannelZero", 504)
    yield frames("a connection method on channel 1", Call("connection.blocked").by_pamqp(1),
                 "UnexpectedMethod(MethodId { class: 10, method: 60 })", 503)
    yield frames("a frame of a channel that is not open", Call("basic.qos-ok").by_pamqp(9), "ChannelNotOpen(9)", 504)
