"""Clients of HTTP/2 that mean no good, over TLS: each is ended within bounds, and others are served meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import count

from hpack import Encoder
from twisted.internet import reactor
from twisted.internet.task import deferLater

from llmproxy.core.http2 import frames as wire
from llmproxy.core.http2.frames import frame

from .test_http2 import Client, Http2TestCase

HEAD = [(":method", "POST"), (":scheme", "https"), (":path", "/v1/x"), (":authority", "a")]
OPEN = frame(wire.HEADERS, wire.END_HEADERS, 1, Encoder().encode(HEAD))
NUMBER = (1).to_bytes(4, "big")


def the_same(piece: bytes) -> Callable[[], Iterator[bytes]]:
    """C{piece} again and again, on a stream that is open."""

    def flood() -> Iterator[bytes]:
        yield OPEN
        while True:
            yield piece * 100

    return flood


def streams(*ends: bytes) -> Callable[[], Iterator[bytes]]:
    """Streams that are ended at once, in some way."""

    def flood() -> Iterator[bytes]:
        encoder = Encoder()
        for stream in count(1, 2):
            yield frame(wire.HEADERS, wire.END_HEADERS, stream, encoder.encode(HEAD))
            for end in ends:
                yield end[:5] + stream.to_bytes(4, "big") + end[9:]

    return flood


def section(piece: bytes) -> Callable[[], Iterator[bytes]]:
    """A header section without end."""

    def flood() -> Iterator[bytes]:
        yield frame(wire.HEADERS, 0, 1, Encoder().encode(HEAD))
        while True:
            yield frame(wire.CONTINUATION, 0, 1, piece) * 10

    return flood


def bombs() -> Iterator[bytes]:
    """A large field that is named again and again by one byte."""
    stored = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000
    for stream in count(1, 2):
        yield frame(wire.HEADERS, wire.END_HEADERS, stream, Encoder().encode(HEAD) + stored + b"\xbf" * 10_000)


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "empty DATA": the_same(frame(wire.DATA, 0, 1)),
    "padding alone": the_same(frame(wire.DATA, wire.PADDED, 1, b"\0")),
    "pings": the_same(frame(wire.PING, 0, 0, bytes(8))),
    "settings": the_same(frame(wire.SETTINGS, 0, 0)),
    "settings of windows": the_same(frame(wire.SETTINGS, 0, 0, b"\0\4\0\0\0\1\0\4\0\0\xff\xff")),
    "priorities": the_same(frame(wire.PRIORITY, 0, 1, bytes(5))),
    "updates": the_same(frame(wire.WINDOW_UPDATE, 0, 0, NUMBER)),
    "updates of a stream": the_same(frame(wire.WINDOW_UPDATE, 0, 1, NUMBER)),
    "unknown frames": the_same(frame(200, 0, 0)),
    "continuations": section(b"x" * 100),
    "empty continuations": section(b""),
    "rapid reset": streams(frame(wire.RST_STREAM, 0, 1, NUMBER)),
    "made resets": streams(frame(wire.WINDOW_UPDATE, 0, 1, bytes(4))),
    "made resets by length": streams(frame(wire.DATA, wire.END_STREAM, 1), frame(wire.DATA, 0, 1, b"x")),
    "bombs": bombs,
    "fields without length": streams(frame(wire.HEADERS, 0x5, 1, b"\0\0\0" * 5_000)),
}


class AttackTests(Http2TestCase):
    async def attack(self, flood: Iterator[bytes]) -> tuple[Client, int]:
        """Send until the proxy has enough; returns how many bytes that took."""
        client = await self.connected()
        client.dataReceived = lambda data: None
        sent = 0
        for piece in flood:
            client.send(piece)
            sent += len(piece)
            if sent % 7 == 0 or len(piece) > 500:
                await deferLater(reactor, 0)
            if client.closed is not None or sent > 3_000_000:
                break
        return client, sent

    async def test_each(self) -> None:
        """Each is asked to calm down and closed, costs little, and leaves nothing running."""
        for name, flood in FLOODS.items():
            start, spent = time.monotonic(), time.process_time()
            client, sent = await self.attack(flood())
            await client.until_closed(5.0)
            self.assertLess(sent, 3_000_000, name)
            if os.environ.get("LLMPROXY_SHOW"):
                print(f"{name}: {sent:,} bytes, {time.monotonic() - start:.2f} s, {time.process_time() - spent:.2f} s")
            good = await self.connected()
            self.assertEqual(await good.answer(good.ask("GET", "/v1/x", self.secret)), (b"200", b"ok"), name)
        await deferLater(reactor, 0.1)
        self.assertEqual(self.service.proxy.generations.current.account.in_flight, 0)
        self.assertEqual(self.flushLoggedErrors(), [])
