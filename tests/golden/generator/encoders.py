"""The foreign encoders, asked for exactly the types that a vector names."""

import struct

import pamqp.base
import pamqp.body
import pamqp.commands
import pamqp.encode
import pamqp.frame
import pamqp.header
import pika.data
import pika.frame
import pika.spec

from .notation import moment

PAMQP = "pamqp 4.0.1"
PIKA = "pika 1.4.4"
BY_HAND = "by hand"


def pamqp_value(value):
    """The Python value from which pamqp makes the wire type of `value`, and no other."""
    made = _pamqp_python(value)
    code = pamqp.encode.encode_table_value(made)[:1].decode()
    assert code == value.code, f"pamqp writes {made!r} as {code}, not {value.code}"
    return made


def _pamqp_python(value):
    match value.code:
        case "F":
            return pamqp_table(value.value)
        case "A":
            return [pamqp_value(item) for item in value.value]
        case "x":
            return bytearray(value.value)
        case "T":
            return moment(value.value)
        case _:
            return value.value


def pamqp_table(entries):
    """A table for pamqp, which sorts keys and keeps each once."""
    keys = [key for key, _ in entries]
    assert keys == sorted(set(keys)), f"pamqp would reorder {keys}"
    return {key: pamqp_value(value) for key, value in entries}


def pika_value(value):
    """The Python value from which pika makes the wire type of `value`, and no other."""
    match value.code:
        case "F":
            made = pika_table(value.value)
        case "A":
            made = [pika_value(item) for item in value.value]
        case "T":
            made = moment(value.value)
        case _:
            made = value.value
    pieces = []
    pika.data.encode_value(pieces, made)
    code = b"".join(pieces)[:1].decode()
    assert code == value.code, f"pika writes {made!r} as {code}, not {value.code}"
    return made


def pika_table(entries):
    """A table for pika, which keeps the order."""
    assert len({key for key, _ in entries}) == len(entries)
    return {key: pika_value(value) for key, value in entries}


def pamqp_table_octets(entries):
    return pamqp.encode.field_table(pamqp_table(entries))


def pika_table_octets(entries):
    pieces = []
    pika.data.encode_table(pieces, pika_table(entries))
    return b"".join(pieces)


def pamqp_frame(channel, method):
    return pamqp.frame.marshal(method, channel)


def pika_frame(channel, method):
    return pika.frame.Method(channel, method).marshal()


def pamqp_header(channel, body_size, properties):
    return pamqp.frame.marshal(pamqp.header.ContentHeader(0, body_size, properties), channel)


def pamqp_body(channel, frame_max, body):
    """Body frames; pamqp leaves the cutting at `frame_max - 8` to its user."""
    size = frame_max - 8
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(pamqp.frame.marshal(pamqp.body.ContentBody(piece), channel) for piece in pieces)


def raw_frame(kind, channel, payload, end=0xCE):
    """A frame by hand."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes([end])
