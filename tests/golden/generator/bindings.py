"""Spec methods by name: pamqp's and pika's classes for them, and their notation from the values that go in."""

import pamqp.commands
import pika.spec

from . import notation
from .encoders import PAMQP, PIKA, pamqp_frame, pamqp_table, pika_frame, pika_table
from .vector import Vector

# The standard's reserved fields, under the names of earlier versions that both packages keep.
RESERVED = {"ticket", "capabilities", "insist", "known_hosts", "out_of_band", "channel_id", "cluster_id"}
# What pamqp calls an argument, and what the bindings call it.
RENAMED = {"exchange_type": "kind", "message_type": "kind", "nowait": "no_wait", "global_": "global"}
# What pika calls an argument, where that is not pamqp's name.
PIKA_NAMES = {"exchange_type": "type", "message_type": "type", "global_": "global_qos"}
SECRETS = {
    ("connection.start-ok", "response"),
    ("connection.secure-ok", "response"),
    ("connection.update-secret", "new_secret"),
}
ZERO = {"bit": False, "octet": 0, "short": 0, "long": 0, "longlong": 0, "shortstr": "", "longstr": "", "table": []}


def camel(name):
    return "".join(part.capitalize() for part in name.split("-"))


class Call:
    """A method of the spec with its arguments, named as pamqp names them; what is left out is zero."""

    def __init__(self, name, **arguments):
        self.name = name
        class_name, method_name = name.split(".")
        self.rust = camel(method_name)
        self.pamqp = getattr(getattr(pamqp.commands, camel(class_name)), camel(method_name))
        self.pika = getattr(getattr(pika.spec, camel(class_name)), camel(method_name))
        types = {field: self.pamqp.amqp_type(field) for field in self.pamqp.attributes()}
        assert arguments.keys() <= types.keys(), f"{name} has no {arguments.keys() - types.keys()}"
        self.fields = [
            (field, kind, arguments.get(field, ZERO[kind])) for field, kind in types.items() if field not in RESERVED
        ]

    def debug(self):
        """The notation: the method's name, then its struct."""
        printed = [(RENAMED.get(field, field), self._printed(field, kind, value)) for field, kind, value in self.fields]
        return f"{self.name} {notation.struct(self.rust, printed)}"

    def _printed(self, field, kind, value):
        if (self.name, field) in SECRETS:
            return "<redacted>"
        if field == "reply_code":
            return notation.reply_code(value)
        match kind:
            case "bit":
                return "true" if value else "false"
            case "shortstr" | "longstr":
                return notation.string(value)
            case "table":
                return notation.entries_debug(value)
            case _:
                return str(value)

    def secret(self):
        """The octets of the argument that is not shown, if there is one: `field hex`."""
        for field, _, value in self.fields:
            if (self.name, field) in SECRETS:
                return f"{field} {value.encode().hex()}".rstrip()
        return None

    def by_pamqp(self, channel):
        arguments = {f: pamqp_table(v) if kind == "table" else v for f, kind, v in self.fields}
        return pamqp_frame(channel, self.pamqp(**arguments))

    def by_pika(self, channel):
        arguments = {PIKA_NAMES.get(f, f): pika_table(v) if kind == "table" else v for f, kind, v in self.fields}
        return pika_frame(channel, self.pika(**arguments))


def by_pamqp(name, method, **arguments):
    """A vector of pamqp's encoder; connection methods go on channel 0, others on channel 1."""
    call = Call(method, **arguments)
    return _vector(name, call, call.by_pamqp(channel_of(method)), PAMQP)


def by_pika(name, method, **arguments):
    """A vector of pika's encoder."""
    call = Call(method, **arguments)
    return _vector(name, call, call.by_pika(channel_of(method)), PIKA)


def channel_of(method):
    return 0 if method.startswith("connection.") else 1


def _vector(name, call, octets, source):
    lines = {"value": call.debug(), "secret": call.secret()}
    return Vector(name, octets, source, **lines)
