#!/usr/bin/env python3
"""Makes the seeds in corpus/ from the golden vectors: `python3 fuzz/seed.py`. Findings of a fuzzer beside them stay."""

import pathlib
import re

FUZZ = pathlib.Path(__file__).parent
GOLDEN = FUZZ.parent / "tests" / "golden"
# A content of 128 KiB teaches a fuzzer nothing that one of 4 KiB does not.
LARGEST = 10_000


def vectors(file):
    """Name, octets and lines of each vector."""
    for block in (GOLDEN / file).read_text().split("\n["):
        if block.startswith("#"):
            continue
        name, *lines = block.strip().split("\n")
        pairs = [line.partition(": ") for line in lines]
        octets = b"".join(from_hex(value) for key, _, value in pairs if key == "hex")
        yield name.rstrip("]"), octets, {key: value for key, _, value in pairs}


def from_hex(notation):
    octets = b""
    for part in notation.split():
        digits, _, count = part.partition("*")
        octets += bytes.fromhex(digits) * int(count or 1)
    return octets


def seed(target, name, octets):
    """A file named after the vector, and numbered: `I` and `i` are one name to some file systems."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("seed-*")))
    (folder / f"seed-{number:03}-{slug}").write_bytes(octets)


def stream(octets, step, frame_max=4096):
    """What the target `frames` takes: the limit, the step in which octets arrive, the octets."""
    return frame_max.to_bytes(2, "big") + bytes([step]) + octets


def main():
    for old in FUZZ.glob("corpus/*/seed-*"):
        old.unlink()
    for name, octets, _ in vectors("methods.txt"):
        seed("methods", name, octets[7:-1])
    for file in ["frames.txt", "content.txt"]:
        for name, octets, _ in vectors(file):
            if len(octets) < LARGEST:
                seed("frames", name, stream(octets, 7))
    for name, octets, _ in vectors("values.txt"):
        seed("tables", name, octets)
    for name, octets, lines in vectors("malformed.txt"):
        match lines["reader"]:
            case "table":
                seed("tables", f"malformed {name}", octets)
            case "method":
                seed("methods", f"malformed {name}", octets[7:-1])
            case "frame" | "header" | "connection":
                seed("frames", f"malformed {name}", stream(octets, 1))
    for name, octets, _ in vectors("properties.txt"):
        payload = bytes.fromhex("003c0000") + bytes(8) + octets
        frame = b"\x02\x00\x01" + len(payload).to_bytes(4, "big") + payload + b"\xce"
        seed("frames", f"properties {name}", stream(frame, 3))


main()
