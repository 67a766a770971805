"""values.txt: tables with a field value of every type code."""

import struct

from . import notation as n
from .encoders import BY_HAND, PAMQP, PIKA, pamqp_table_octets, pika_table_octets
from .vector import Vector

TITLE = "Field tables with a value of every type code, nested, and with what only a lenient peer would write."
KEYS = [
    "hex: the table with its length, as it stands in a method. value: what `{:?}` of the FieldTable prints.",
    "decode-only: our encoder writes it otherwise, and why.",
]

REFERENCE = "the project's reference page on the broker"
NESTED_MOST = 64


def vectors():
    yield by_pamqp("an empty table")
    yield from scalars()
    yield from strings()
    yield from containers()
    yield from codes_no_package_writes()
    yield from reference()
    yield from keys()
    yield from decode_only()


def by_pamqp(name, *entries):
    return Vector(name, pamqp_table_octets(entries), PAMQP, value=n.entries_debug(entries))


def by_pika(name, *entries):
    return Vector(name, pika_table_octets(entries), PIKA, value=n.entries_debug(entries))


def by_hand(name, octets, value, source=BY_HAND, **lines):
    """Entries by hand; the length of the table is put before them."""
    return Vector(name, struct.pack(">I", len(octets)) + octets, source, value=value, **lines)


def scalars():
    yield by_pamqp("t, true and false", ("f", n.boolean(False)), ("t", n.boolean(True)))
    yield by_pamqp("b, ends and middle", *integers("I8", -128, -1, 0, 127))
    yield by_pamqp("s, ends", *integers("I16", -32768, -129, 128, 32767))
    yield by_pamqp("u, ends", *integers("U16", 32768, 65535))
    yield by_pamqp("I, ends", *integers("I32", -(1 << 31), -32769, 65536, (1 << 31) - 1))
    yield by_pika("I, small", *integers("I32", -1, 0, 1))
    yield by_pamqp("i, ends", *integers("U32", 1 << 31, (1 << 32) - 1))
    yield by_pamqp("l, ends", *integers("I64", -(1 << 63), -(1 << 31) - 1, 1 << 32, (1 << 63) - 1))
    yield by_pika("l, 2^31", *integers("I64", 1 << 31))
    yield by_pamqp("f", ("k0", n.single(0.0)), ("k1", n.single(1.5)), ("k2", n.single(-0.25)))
    yield by_pamqp("D", ("k0", n.fixed("3.14")), ("k1", n.fixed("-0.5")), ("k2", n.fixed("42")), ("k3", n.fixed("0.0001")))
    yield by_pamqp("D, ends", ("k0", n.fixed("2147483647")), ("k1", n.fixed("-2147483648")),
                   ("k2", n.fixed("-21474836.48")))
    yield by_pamqp("T", ("k0", n.point_in_time(0)), ("k1", n.point_in_time(1_700_000_000)),
                   ("k2", n.point_in_time(1 << 33)))
    yield by_pamqp("V", ("k", n.void()))


def integers(kind, *values):
    return [(f"k{index}", n.integer(kind, value)) for index, value in enumerate(values)]


def strings():
    yield by_pamqp("S, empty", ("k", n.long_string("")))
    yield by_pamqp("S, text", ("k", n.long_string("grün \"quoted\" \\ \t\r\n\0")))
    yield by_pamqp("S, 300 octets", ("k", n.long_string("x" * 300)))
    yield by_pamqp("x, empty", ("k", n.byte_array(b"")))
    yield by_pamqp("x, octets", ("k", n.byte_array(b"ab\0\xff\"")))
    yield by_pika("x, 300 octets", ("k", n.byte_array(b"\x80" * 300)))


def containers():
    yield by_pamqp("A, empty", ("k", n.array()))
    yield by_pamqp("A, mixed", ("k", n.array(
        n.boolean(True), n.integer("I8", 1), n.integer("I32", 70_000), n.single(1.5), n.fixed("1.5"),
        n.long_string("x"), n.byte_array(b"x"), n.point_in_time(1), n.void(), n.array(n.integer("I8", 2)),
        n.table(("k", n.void())),
    )))
    yield by_pamqp("F, empty", ("k", n.table()))
    yield by_pamqp("F, nested", ("a", n.table(("b", n.table(("c", n.array(n.table(("d", n.boolean(False))))))))))
    yield by_pika("keys in no order", ("z", n.integer("I32", 1)), ("a", n.integer("I32", 2)), ("m", n.long_string("3")))
    yield by_pika("x-death", ("x-death", n.array(n.table(
        ("count", n.integer("I64", 1 << 40)), ("reason", n.long_string("expired")), ("queue", n.long_string("q")),
        ("time", n.point_in_time(1_700_000_000)), ("exchange", n.long_string("")),
        ("routing-keys", n.array(n.long_string("rk"), n.long_string("cc"))),
    ))))


def codes_no_package_writes():
    """What neither package writes, or not for these values."""
    yield by_hand("d", b"\x01kd" + struct.pack(">d", 3.14), '{"k": F64(3.14)}')
    yield by_hand("d, negative", b"\x01kd" + struct.pack(">d", -0.001), '{"k": F64(-0.001)}')
    yield by_hand("B, ends", b"\x01aB\x00\x01bB\xff", '{"a": U8(0), "b": U8(255)}')
    yield by_hand("u, small", b"\x01ku\x00\x01", '{"k": U16(1)}')
    yield by_hand("i, small", b"\x01ki\x00\x00\x00\x01", '{"k": U32(1)}')
    yield by_hand("s, small", b"\x01ks\xff\xff", '{"k": I16(-1)}')
    yield by_hand("D, scale 255", b"\x01kD\xff" + struct.pack(">i", 1), '{"k": Decimal(0.' + "0" * 254 + "1)}")
    yield by_hand("D, negative below one", b"\x01kD\x02" + struct.pack(">i", -5), '{"k": Decimal(-0.05)}')
    yield by_hand("T, largest", b"\x01kT" + b"\xff" * 8, f'{{"k": Timestamp({(1 << 64) - 1})}}')
    yield by_hand("S, not UTF-8", b"\x01kS\x00\x00\x00\x02\xff\xfe", '{"k": LongString(b"\\xff\\xfe")}')
    depth = NESTED_MOST - 1
    yield by_hand("F, nested as deep as allowed", *nested_tables(depth))
    yield by_hand("A, nested as deep as allowed", *nested_arrays(depth))


def nested_tables(depth):
    """Entries of a table that holds `depth` tables, each in the one before, and their notation."""
    octets, printed = b"", "{}"
    for _ in range(depth):
        octets = b"\x01kF" + struct.pack(">I", len(octets)) + octets
        printed = f'{{"k": Table({printed})}}'
    return octets, printed


def nested_arrays(depth):
    """The same with arrays."""
    octets, printed = b"", ""
    for _ in range(depth):
        octets = b"A" + struct.pack(">I", len(octets)) + octets
        printed = f"Array([{printed}])"
    return b"\x01k" + octets, f'{{"k": {printed}}}'


def reference():
    """The tables of the reference page, octet for octet."""
    for name, octets, value in [
        ("true", "00000004016b7401", '{"k": Bool(true)}'),
        ("1", "00000007016b4900000001", '{"k": I32(1)}'),
        ("2^31", "0000000b016b6c0000000080000000", '{"k": I64(2147483648)}'),
        ("empty text", "00000007016b5300000000", '{"k": LongString("")}'),
        ("bytes ab", "00000009016b78000000026162", '{"k": ByteArray(b"ab")}'),
        ("3.14", "00000008016b44020000013a", '{"k": Decimal(3.14)}'),
        ("void", "00000003016b56", '{"k": Void}'),
        ("a table", "0000000f016b46000000080161530000000162", '{"k": Table({"a": LongString("b")})}'),
        ("an array", "00000015016b410000000e4900000001530000000178740156",
         '{"k": Array([I32(1), LongString("x"), Bool(true), Void])}'),
        ("i8 -1", "00000004016b62ff", '{"k": I8(-1)}'),
        ("u8 255", "00000004016b42ff", '{"k": U8(255)}'),
        ("f32 1.5", "00000007016b663fc00000", '{"k": F32(1.5)}'),
        ("f64 3.14", "0000000b016b6440091eb851eb851f", '{"k": F64(3.14)}'),
    ]:
        yield Vector(f"reference, {name}", bytes.fromhex(octets), REFERENCE, value=value)


def keys():
    yield by_hand("a key twice", b"\x01kt\x01\x01kV\x01jt\x00\x01kI\x00\x00\x00\x07",
                  '{"k": Bool(true), "k": Void, "j": Bool(false), "k": I32(7)}')
    yield by_hand("an empty key", b"\x00V", '{"": Void}')
    yield by_hand("a key of 255 octets", b"\xff" + b"k" * 255 + b"V", '{"' + "k" * 255 + '": Void}')
    yield by_hand("a key that is not UTF-8", b"\x02\xc3\x28V", '{b"\\xc3(": Void}')


def decode_only():
    yield by_hand("L", b"\x01kL" + struct.pack(">q", -2), '{"k": I64(-2)}', decode_only="64 bits are written as l")
    yield by_hand("t, two", b"\x01kt\x02", '{"k": Bool(true)}', decode_only="true is written as 1")
