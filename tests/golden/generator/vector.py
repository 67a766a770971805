"""One block of a golden file."""

import re
import textwrap

WIDTH = 100


class Vector:
    """A name and lines of `key: value`, among which is `hex`."""

    def __init__(self, name, octets, source, **lines):
        self.name = name
        self.octets = octets
        self.source = source
        self.lines = lines

    def render(self):
        out = [f"[{self.name}]"]
        out += [f"hex: {line}" for line in textwrap.wrap(hex_notation(self.octets), WIDTH)] or ["hex:"]
        for key, value in self.lines.items():
            if value is not None:
                out.append(f"{key.replace('_', '-')}: {value}")
        out.append(f"source: {self.source}")
        return "\n".join(out) + "\n"


def hex_notation(octets):
    """Hex in which a run of at least 16 equal octets is `61*4088`, set off by spaces."""
    parts = []
    end = 0
    for run in re.finditer(rb"(.)\1{15,}", octets, flags=re.DOTALL):
        parts.append(octets[end : run.start()].hex())
        parts.append(f"{run.group(1).hex()}*{len(run.group(0))}")
        end = run.end()
    parts.append(octets[end:].hex())
    return " ".join(part for part in parts if part)
