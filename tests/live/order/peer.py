"""A peer that speaks AMQP frames to a broker: encoded and decoded by pamqp, which shares nothing with leveret."""

import select
import socket
import struct
import time
from urllib.parse import unquote, urlparse

from pamqp import base, body, commands, frame, header

Basic, Channel, Confirm, Connection = commands.Basic, commands.Channel, commands.Confirm, commands.Connection
Exchange, Queue, Tx = commands.Exchange, commands.Queue, commands.Tx


def method(command, channel=1):
    """The bytes of a method."""
    return frame.marshal(command, channel)


def message(exchange, key, payload=b"m", channel=1, mandatory=False, **properties):
    """The bytes of a publish: the method, the header and one body frame."""
    return b"".join((
        method(Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory), channel),
        frame.marshal(header.ContentHeader(0, len(payload), Basic.Properties(**properties)), channel),
        frame.marshal(body.ContentBody(payload), channel) if payload else b"",
    ))


class Ended(Exception):
    """The broker has hung up."""


class Peer:
    """A connection; `receive` gives (channel, frame) one after the other, without heartbeats."""

    def __init__(self, url, frame_max=131072):
        parts = urlparse(url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 5672), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input, self.at = b"", 0
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.start = self.expect(Connection.Start)
        capabilities = ("authentication_failure_close", "basic.nack", "connection.blocked",
                        "consumer_cancel_notify", "exchange_exchange_bindings", "publisher_confirms")
        self.write(method(Connection.StartOk(
            client_properties={"capabilities": dict.fromkeys(capabilities, True)},
            mechanism="PLAIN", response=f"\0{user}\0{password}", locale="en_US"), 0))
        self.expect(Connection.Tune)
        self.write(method(Connection.TuneOk(2047, frame_max, 0), 0))
        self.write(method(Connection.Open(virtual_host=unquote(parts.path[1:]) or "/"), 0))
        self.expect(Connection.OpenOk)

    @property
    def version(self):
        """The broker's version, its first two numbers."""
        return ".".join(self.start.server_properties["version"].split(".")[:2])

    def write(self, octets):
        try:
            self.socket.sendall(octets)
        except OSError:
            pass  # What the broker said before it hung up is still to be read.

    def receive(self, timeout=120):
        """The next frame and its channel; none where nothing arrives in time."""
        deadline = time.monotonic() + timeout
        while True:
            available = len(self.input) - self.at
            if available >= 7:
                kind, channel, size = struct.unpack_from(">BHI", self.input, self.at)
                if available >= size + 8:
                    whole = self.input[self.at:self.at + size + 8]
                    self.at += size + 8
                    if kind == 8:
                        continue
                    if kind == 3:
                        return channel, body.ContentBody(whole[7:-1])
                    return channel, frame.unmarshal(whole)[2]
            ready, _, _ = select.select([self.socket], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return None
            try:
                octets = self.socket.recv(1 << 18)
            except OSError:
                octets = b""
            if not octets:
                raise Ended
            self.input, self.at = self.input[self.at:] + octets, 0

    def expect(self, *kinds):
        """The next frame, which is one of these."""
        received = self.receive()
        assert received and isinstance(received[1], kinds), f"expected {kinds}, got {show(received)}"
        return received[1]

    def call(self, command, channel=1):
        """Sends a method and gives the next frame, whatever it is."""
        self.write(method(command, channel))
        received = self.receive()
        return received[1] if received else None

    def close(self):
        self.socket.close()


def name(command):
    """basic.consume-ok, as the specification writes it."""
    first, second = type(command).__qualname__.split(".")[-2:]
    dashed = "".join("-" + letter.lower() if letter.isupper() else letter for letter in second)[1:]
    return f"{first.lower()}.{dashed}"


def show(received):
    """A frame in one line."""
    if not received:
        return "nothing"
    channel, command = received
    if isinstance(command, base.Frame):
        shown = " ".join(f"{key}={value!r}" for key, value in command if value not in ("", None, {}))
        return f"[{channel}] {name(command)} {shown}"
    if isinstance(command, header.ContentHeader):
        shown = {key: value for key, value in command.properties if value is not None}
        return f"[{channel}] header {command.body_size} {shown if len(str(shown)) < 400 else len(str(shown))}"
    if isinstance(command, body.ContentBody):
        return f"[{channel}] body {command.value[:40]!r}"
    return f"[{channel}] {command}"
