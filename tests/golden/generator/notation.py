"""Values with their wire type, and how Rust's `{:?}` of the bindings prints them."""

import datetime
import decimal

REPLY_CODES = {
    200: "REPLY_SUCCESS",
    311: "CONTENT_TOO_LARGE",
    312: "NO_ROUTE",
    313: "NO_CONSUMERS",
    320: "CONNECTION_FORCED",
    402: "INVALID_PATH",
    403: "ACCESS_REFUSED",
    404: "NOT_FOUND",
    405: "RESOURCE_LOCKED",
    406: "PRECONDITION_FAILED",
    501: "FRAME_ERROR",
    502: "SYNTAX_ERROR",
    503: "COMMAND_INVALID",
    504: "CHANNEL_ERROR",
    505: "UNEXPECTED_FRAME",
    506: "RESOURCE_ERROR",
    530: "NOT_ALLOWED",
    540: "NOT_IMPLEMENTED",
    541: "INTERNAL_ERROR",
}

ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def text(value):
    """A Rust string literal."""
    out = []
    for char in value:
        if char in ESCAPES:
            out.append(ESCAPES[char])
        elif ord(char) < 0x20 or ord(char) == 0x7F:
            out.append(f"\\u{{{ord(char):x}}}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def octets(value):
    """A Rust byte-string literal."""
    out = []
    for octet in value:
        char = chr(octet)
        if char in ESCAPES:
            out.append(ESCAPES[char])
        elif 0x20 <= octet < 0x7F:
            out.append(char)
        else:
            out.append(f"\\x{octet:02x}")
    return 'b"' + "".join(out) + '"'


def string(value):
    """A short or long string: text where it is UTF-8, else octets."""
    return octets(value) if isinstance(value, bytes) else text(value)


def reply_code(code):
    """A reply code with its name, where it has one."""
    return f"ReplyCode({code} {REPLY_CODES[code]})" if code in REPLY_CODES else f"ReplyCode({code})"


def timestamp(seconds):
    """A point in time."""
    return f"Timestamp({seconds})"


def struct(name, fields):
    """A struct with its fields, `(name, printed value)`, in order."""
    if not fields:
        return name
    return name + " { " + ", ".join(f"{field}: {value}" for field, value in fields) + " }"


class Value:
    """A field value of one type code."""

    def __init__(self, code, kind, value, printed):
        self.code = code
        self.kind = kind
        self.value = value
        self.printed = printed

    def debug(self):
        return self.kind if self.printed is None else f"{self.kind}({self.printed})"


def boolean(value):
    return Value("t", "Bool", value, "true" if value else "false")


def integer(kind, value):
    """An integer of the Rust kind `I8`, `U16` and so on."""
    codes = {"I8": "b", "U8": "B", "I16": "s", "U16": "u", "I32": "I", "U32": "i", "I64": "l"}
    return Value(codes[kind], kind, value, str(value))


def single(value):
    return Value("f", "F32", value, repr(value))


def double(value):
    return Value("d", "F64", value, repr(value))


def fixed(value):
    """A decimal, given as text."""
    return Value("D", "Decimal", decimal.Decimal(value), value)


def long_string(value):
    return Value("S", "LongString", value, string(value))


def byte_array(value):
    return Value("x", "ByteArray", value, octets(value))


def point_in_time(seconds):
    return Value("T", "Timestamp", seconds, str(seconds))


def void():
    return Value("V", "Void", None, None)


def array(*items):
    return Value("A", "Array", list(items), "[" + ", ".join(item.debug() for item in items) + "]")


def table(*entries):
    """A table nested in a value; entries are `(key, value)` in the order of the wire."""
    return Value("F", "Table", list(entries), entries_debug(entries))


def entries_debug(entries):
    """A table as an argument or a property: `{"k": I32(1)}`."""
    return "{" + ", ".join(f"{text(key)}: {value.debug()}" for key, value in entries) + "}"


def moment(seconds):
    """The same point in time as Python has it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
