"""content.txt: methods with content, whole."""

from . import properties as p
from .bindings import Call
from .encoders import PAMQP, pamqp_body, pamqp_header
from .vector import Vector

TITLE = "Methods with their whole content: method frame, header frame, body frames."
KEYS = [
    "hex: all frames; `61*4088` is 4088 times that octet. frame-max: the size at which the body is cut.",
    "method, properties: the notation of methods.txt and properties.txt. body: runs, `4088 x 61 + 1 x 62`; `empty`.",
    "pamqp makes each frame; where to cut is the standard's rule, at most frame-max - 8 octets of body in a frame.",
]

CHANNEL = 1


def vectors():
    for size, runs in bodies(4096):
        yield publish(f"basic.publish, {size}", 4096, runs, [])
    for size, runs in bodies(131072):
        if "frame_max" in size:
            yield publish(f"basic.publish, {size} of 131072", 131072, runs, [p.ALL[3]])
    yield publish("basic.publish, three frames and all properties", 4096, [(4088, 0x61), (4088, 0x62), (17, 0x63)], p.ALL)
    yield publish("basic.publish, body full of frame ends", 4096, [(5000, 0xCE)], [])
    small = [(11, 0x78)]
    yield content("basic.deliver", "basic.deliver", 4096, small, p.ALL, consumer_tag="ctag1.0", delivery_tag=1,
                  exchange="ex", routing_key="rk")
    yield content("basic.deliver, empty", "basic.deliver", 4096, [], [], consumer_tag="ctag1.0", delivery_tag=2,
                  routing_key="hello")
    yield content("basic.deliver, two frames", "basic.deliver", 4096, [(4088, 0x61), (1, 0x62)], [p.ALL[3]],
                  consumer_tag="ctag1.0", delivery_tag=3, redelivered=True, exchange="ex", routing_key="rk")
    yield content("basic.get-ok", "basic.get-ok", 4096, small, [p.ALL[0]], delivery_tag=4, exchange="ex",
                  routing_key="rk", message_count=9)
    yield content("basic.return", "basic.return", 4096, small, [p.ALL[8]], reply_code=312, reply_text="NO_ROUTE",
                  exchange="ex", routing_key="nowhere")


def bodies(frame_max):
    """The sizes at which a cut can go wrong; the octet after each cut is another one."""
    full = frame_max - 8
    yield "0 octets", []
    yield "1 octet", [(1, 0x61)]
    yield "frame_max - 9 octets", [(full - 1, 0x61)]
    yield "frame_max - 8 octets", [(full, 0x61)]
    yield "frame_max - 7 octets", [(full, 0x61), (1, 0x62)]
    yield "twice frame_max - 8 octets", [(full, 0x61), (full, 0x62)]


def publish(name, frame_max, runs, chosen):
    return content(name, "basic.publish", frame_max, runs, chosen, exchange="ex", routing_key="rk", mandatory=True)


def content(name, method, frame_max, runs, chosen, **arguments):
    call = Call(method, **arguments)
    body = b"".join(bytes([octet]) * count for count, octet in runs)
    octets = call.by_pamqp(CHANNEL)
    octets += pamqp_header(CHANNEL, len(body), p.pamqp_properties(chosen))
    octets += pamqp_body(CHANNEL, frame_max, body)
    return Vector(name, octets, PAMQP, frame_max=frame_max, method=call.debug(), properties=p.debug(chosen),
                  body=" + ".join(f"{count} x {octet:02x}" for count, octet in runs) or "empty")
