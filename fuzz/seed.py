#!/usr/bin/env python3
"""Makes the seeds in corpus/, most from the golden vectors: `python3 fuzz/seed.py`. Findings of a fuzzer stay."""

import hashlib
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


def frame(channel, octets, kind=1):
    return bytes([kind]) + channel.to_bytes(2, "big") + len(octets).to_bytes(4, "big") + octets + b"\xce"


def session(*steps):
    """What the target `session` takes: numbers are steps of the application, octets come from the broker."""
    parts = (bytes([it]) if isinstance(it, int) else b"\xff" + len(it).to_bytes(2, "big") + it for it in steps)
    return b"".join(parts)


def sessions():
    """Name and steps: each begins with a channel that is open."""
    method = lambda ids, arguments="": frame(1, bytes.fromhex(ids + arguments))
    header = lambda size: frame(1, bytes.fromhex("003c0000") + size.to_bytes(8, "big") + b"\0\0", 2)
    opened = [0, 14, method("0014000b", "00000000")]
    consuming = [*opened, 3, 14, method("003c0015", "0163")]
    confirming = [*opened, 4, 14, method("0055000b")]
    deliver = method("003c003c", "0163" + "0000000000000001" + "00" + "0165" + "016b")
    back = method("003c0032", "0138" + "00" + "0165" + "016b")
    delivery = deliver + header(4) + frame(1, b"body", 3)
    large = deliver + header(4090) + frame(1, bytes(4088), 3) + frame(1, bytes(2), 3)
    too_large = deliver + header(5001) + frame(1, bytes(4088), 3) + frame(1, bytes(913), 3)
    ack = lambda tag, multiple="00": method("003c0050", f"{tag:016x}{multiple}")
    blocked = frame(0, bytes.fromhex("000a003c036c6f77"))
    unblocked = frame(0, bytes.fromhex("000a003d"))
    closed = method("00140028", "0194" + "00" + "00320014")
    forced = frame(0, bytes.fromhex("000a0032" + "0140" + "00" + "00000000"))
    yield "open", opened
    yield "declare", [*opened, 1, 14, method("0032000b", "01710000000000000000")]
    yield "get", [*opened, 2, 2, 14, method("003c0048", "00"), method("003c0047", "00000000000000010000000000000000") + header(0)]
    yield "consume", [*consuming, 11, delivery, 11, 12]
    yield "consume in pieces", [*consuming, delivery[:9], delivery[9:33], delivery[33:]]
    yield "consume a large body", [*consuming, large, 11]
    yield "consume too large a body", [*consuming, too_large, 11, 14]
    yield "drop a consumer", [*consuming, delivery, 10, delivery, 14, method("003c001f", "0163")]
    yield "cancel a consumer", [*consuming, delivery, 6, delivery, 14, method("003c001f", "0163"), 11]
    yield "cancelled by the broker", [*consuming, delivery, method("003c001e", "016301"), 11, 11]
    yield "confirms", [*confirming, 5, 5, 5, 5, 5, 14, ack(2), ack(0, "01"), ack(1)]
    yield "refusals", [*confirming, 5, 5, 14, method("003c0078", "000000000000000201")]
    yield "returns", [*confirming, 5, 14, back + header(600) + frame(1, b"\7" * 600, 3) + ack(1)]
    yield "returns for a listener", [*opened, 15, 5, 14, back + header(600) + frame(1, b"\7" * 600, 3)]
    yield "blocked", [*confirming, blocked, 5, 5, unblocked, 14, ack(1)]
    yield "flow", [*opened, method("00140014", "00"), 5, method("00140014", "01"), 14]
    yield "a channel closed by the broker", [*confirming, 5, 1, 14, closed, 0, 14, method("0014000b", "00000000")]
    yield "a channel closed by both", [*opened, 7, 14, closed, method("00140029")]
    yield "a channel closed in the middle of content", [*consuming, 7, deliver + header(9), closed, method("00140029")]
    yield "a released channel", [*opened, 1, 9, 14, method("00140029"), 0]
    yield "a close", [*confirming, 5, 1, 248, 14, ack(1), frame(0, bytes.fromhex("000a0033"))]
    yield "a close of the broker's", [*confirming, 5, 1, 14, forced, 14]
    yield "a close of both", [*opened, 248, forced, 14]
    yield "a violation", [*confirming, 5, 1, method("0032000b", "01710000000000000000") * 2, 14, forced]
    yield "no frame", [*confirming, 5, 1, b"garbage!", 14]
    yield "time", [*opened, 1, 2, 14, 13, 13, 13, frame(0, b"", 8), 13, 14, 13, 13, 13, 13, 13, 13]


def urls():
    """Each URL of the tests."""
    for line in (FUZZ.parent / "src" / "config" / "tests" / "urls.txt").read_text().splitlines():
        if " =>" in line and not line.startswith("#"):
            yield line.split(" =>")[0]


def choices():
    """Octets for the target `client`, each a choice among what a script may have: any will do, short and long ones."""
    # The last ones notice a client that makes no binding again.
    for number in [*range(60), 165, 258, 314, 409]:
        length = 60 + 8 * (number % 60)
        yield f"{length} choices", hashlib.shake_256(f"choices {number}".encode()).digest(length)


def main():
    for old in FUZZ.glob("corpus/*/seed-*"):
        old.unlink()
    for name, octets in choices():
        seed("client", name, octets)
    for name, steps in sessions():
        seed("session", name, session(*steps))
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
    for url in urls():
        seed("urls", url[:40], url.encode())


main()
