#!/usr/bin/env python3
"""Makes the golden vectors beside this file with implementations that are not ours.

    pip install pamqp==4.0.1 pika==1.4.4 && python3 tests/golden/make.py

What the notation says is written from the values that go in, not read back from the octets that come out. With
`--check` nothing is written: the command fails where a file differs from what it would write.
"""

import importlib.metadata
import pathlib
import sys

sys.dont_write_bytecode = True

from generator import content, frames, malformed, methods, properties, values  # noqa: E402

VERSIONS = {"pamqp": "4.0.1", "pika": "1.4.4"}

HEADER = """\
# {title}
# Made by tests/golden/make.py with PyPI pamqp 4.0.1 and, where a `source` line says so, pika 1.4.4, never with leveret's
# own encoder. `by hand` vectors are assembled octet by octet from the tables of the standard and of the broker.
# {more}
"""

FILES = {
    "methods.txt": methods,
    "values.txt": values,
    "properties.txt": properties,
    "content.txt": content,
    "frames.txt": frames,
    "malformed.txt": malformed,
}


def render(module):
    """The whole text of a file: its header, then a block per vector."""
    blocks = [HEADER.format(title=module.TITLE, more="\n# ".join(module.KEYS))]
    names = set()
    for vector in module.vectors():
        if vector.name in names:
            sys.exit(f"two vectors are called {vector.name}")
        names.add(vector.name)
        blocks.append(vector.render())
    return "\n".join(blocks)


def main():
    for package, version in VERSIONS.items():
        found = importlib.metadata.version(package)
        if found != version:
            sys.exit(f"needs {package} {version}, found {found}")
    folder = pathlib.Path(__file__).parent
    check = sys.argv[1:] == ["--check"]
    for name, module in FILES.items():
        text = render(module)
        path = folder / name
        if check and path.read_text() != text:
            sys.exit(f"{name} differs from what make.py writes")
        if not check:
            path.write_text(text)


main()
