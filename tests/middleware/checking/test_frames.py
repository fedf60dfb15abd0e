"""Tests for L{llmproxy.middleware.checking.frames}."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from llmproxy.core import websocket
from llmproxy.core.websocket import BINARY, CLOSE, CONTINUATION, PING, TEXT, FrameReader
from llmproxy.errors import UpstreamProtocolError, UpstreamReset
from llmproxy.message import ApiResponse
from llmproxy.middleware.checking.frames import LAST_FRAME
from llmproxy.middleware.checking.inspection import Inspection
from llmproxy.middleware.restrict import Restrict
from llmproxy.net.timers import TimerWheel

from ..fakes import HeldBody, Inner, Reader, a_request, an_api


def client(document: Any, opcode: int = TEXT) -> bytes:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return websocket.frame(opcode, payload, mask=True)


def fragment(opcode: int, payload: bytes, final: bool = False) -> bytes:
    data = bytearray(websocket.frame(opcode, payload, mask=True))
    if not final:
        data[0] &= 0x7F
    return bytes(data)


GOOD = client({"type": "response.create", "model": "ok"})
EVIL = client({"type": "response.create", "model": "evil"})


class FakeUpstream(Reader):
    """Where a client's frames go."""

    producer: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None


class FramingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.inspection = Inspection(self.clock, TimerWheel(self.clock))

    def open(self, dialect: str = "openai", fields: Any = (), limit: int = 2000) -> Deferred[ApiResponse]:
        """A WebSocket that upstream has agreed to."""
        policy = {"param_whitelist": {"model": ["ok"]}, "max_inspected_body": limit}
        api = an_api(policy=policy, dialect=dialect)
        offer = [(b"Sec-WebSocket-Extensions", b"permessage-deflate"), (b"Sec-WebSocket-Key", b"x")]
        request = a_request(b"GET", b"/v1/responses", offer, api=api)
        request.upgrade = b"websocket"
        inner = Inner()
        responding = Restrict(self.inspection).respond(request, inner)
        self.offered = inner.requests[0].fields
        self.upstream, self.answers, self.got = FakeUpstream(), HeldBody(), Reader()
        inner.answer(ApiResponse(101, b"", list(fields), self.answers, upgraded=self.upstream))
        return responding

    def connect(self, dialect: str = "openai", limit: int = 2000) -> None:
        response = self.successResultOf(self.open(dialect, limit=limit))
        assert response.body is not None and response.upgraded is not None
        self.client = response.upgraded
        self.done = response.body.startProducing(self.got)

    def say(self, data: bytes, size: int = 1 << 20) -> None:
        for at in range(0, len(data), size):
            self.client.write(data[at : at + size])
            self.clock.advance(0)

    def frames(self) -> list[tuple[int, bytes]]:
        """What the client got."""
        return [(part.frame.opcode, part.payload) for part in FrameReader("server").feed(self.got.data)]

    def closed(self) -> int:
        """The code that both connections were ended with."""
        self.successResultOf(self.done)
        self.assertEqual(self.answers.calls[-1:], ["stopped"])
        self.assertEqual(self.inspection.budget.used, 0)
        opcode, payload = self.frames()[-1]
        self.assertEqual(opcode, CLOSE)
        return int.from_bytes(payload[:2], "big")

    def test_offer(self) -> None:
        """Compression is not offered to upstream; one that agrees to it all the same breaks the protocol."""
        self.connect()
        self.assertEqual(self.offered, [(b"Sec-WebSocket-Key", b"x")])
        self.failureResultOf(
            self.open(fields=[(b"sec-websocket-extensions", b"permessage-deflate")]), UpstreamProtocolError
        )
        self.assertEqual(self.answers.calls, ["stopped"])

    def test_good(self) -> None:
        """Good messages pass byte for byte, however they arrive, what upstream says likewise."""
        data = GOOD + client({"type": "input"}) + client(b"", TEXT) + client({"session": {"model": "ok"}}, BINARY)
        for size in (1, 7, 1000):
            self.connect()
            self.say(data, size)
            self.answers.write(b"\x81\x02hi")
            self.assertEqual((self.upstream.data, self.got.data), (data, b"\x81\x02hi"), size)
            self.assertEqual(self.inspection.budget.used, 0, size)

    def test_evil(self) -> None:
        """One bad message among good ones ends it: nothing of it goes on, an event and a close say why."""
        for bad in (
            EVIL,
            client({"session": {"model": "evil"}}),
            client({"MODEL": "evil"}),
            client({"model": "evil"}, BINARY),
        ):
            for size in (1, 1000):
                self.connect()
                self.say(GOOD + bad + GOOD, size)
                self.assertEqual(self.upstream.data, GOOD, size)
                self.assertEqual(self.closed(), 1008, size)
                opcode, payload = self.frames()[0]
                event = json.loads(payload)
                self.assertEqual(
                    (opcode, event["type"], event["error"]["code"]), (TEXT, "error", "param_not_allowed"), size
                )

    def test_fragments(self) -> None:
        """A message in fragments is judged whole, with control frames of either kind between."""
        for model, passes in ((b"ok", True), (b"evil", False)):
            ping = client(b"p", PING)
            pieces = [
                fragment(TEXT, b'{"mo'),
                fragment(CONTINUATION, b'del":"' + model),
                fragment(CONTINUATION, b'"}', True),
            ]
            self.connect()
            self.say(pieces[0] + ping + pieces[1])
            self.assertEqual(self.upstream.data, ping, (model, passes))
            self.say(pieces[2])
            if passes:
                self.assertEqual(self.upstream.data, ping + b"".join(pieces), (model, passes))
            else:
                self.assertEqual((self.upstream.data, self.closed()), (ping, 1008), (model, passes))

    def test_unreadable(self) -> None:
        """What cannot be read ends it with the code that says why."""
        for data, code in (
            (client(b"\x00\x01audio", BINARY), 1008),
            (client(b"not json"), 1008),
            (client(b"[1]"), 1008),
            (websocket.frame(TEXT, b"{}"), 1002),
            (b"\xc1" + GOOD[1:], 1002),
            (fragment(CONTINUATION, b"x", True), 1002),
            (client(b"x" * 3000), 1009),
            (fragment(TEXT, b"x" * 1500) + fragment(CONTINUATION, b"x" * 1500), 1009),
        ):
            self.connect()
            self.say(data)
            self.assertEqual((self.closed(), self.upstream.data), (code, b""), data[:20])

    def test_slices(self) -> None:
        """Thousands of short frames in one read are passed in slices, in order."""
        self.connect()
        self.inspection._slices._budget = -1.0
        data = client(b"", PING) * 5000 + client({}) * 300 + EVIL
        self.client.write(data)
        self.assertLess(len(self.upstream.data), len(data) / 10)
        for _ in range(1000):
            self.clock.advance(0)
        self.assertEqual((self.closed(), len(self.upstream.data)), (1008, len(data) - len(EVIL)))

    def test_trickle(self) -> None:
        """A message that comes a byte now and then is not held for ever, pings or not; a complete one is not late."""
        self.connect()
        self.say(GOOD + fragment(TEXT, b'{"x":"'))
        for _ in range(40):
            self.say(fragment(CONTINUATION, b"x") + client(b"", PING))
            for _ in range(10):
                self.clock.advance(0.1)
        self.assertEqual(self.closed(), 1008)
        self.connect()
        self.say(GOOD)
        self.assertEqual(self.inspection._wheel.standing, 0)

    def test_memory(self) -> None:
        """Above the budget of all that is held back the client is asked to try again."""
        self.connect()
        self.inspection.budget.limit = 100
        self.say(fragment(TEXT, b"x" * 90))
        self.assertEqual(self.closed(), 1013)

    def test_other_dialects(self) -> None:
        """Where the protocol has no such event, the close frame says it alone."""
        self.connect("gemini")
        self.say(client({"setup": {"model": "models/evil"}}))
        self.assertEqual(len(self.frames()), 1)
        self.assertIn("evil", self.frames()[0][1][2:].decode())

    def test_in_the_middle(self) -> None:
        """What we say stands behind the frame that upstream has begun, and not between the fragments of a message."""
        self.connect()
        self.answers.write(b"\x81\x04he")
        self.say(EVIL)
        self.assertEqual(self.got.data, b"\x81\x04he")
        self.answers.write(b"yo\x81\x01x")
        self.assertEqual([opcode for opcode, _ in self.frames()], [TEXT, TEXT, CLOSE])
        self.assertEqual((self.frames()[0][1], self.closed()), (b"heyo", 1008))
        self.connect()
        self.answers.write(b"\x01\x01a")
        self.say(EVIL)
        self.assertEqual([opcode for opcode, _ in self.frames()], [TEXT, CLOSE])

    def test_no_end_of_a_frame(self) -> None:
        """An upstream that does not complete its frame is not waited for longer than a bound."""
        self.connect()
        self.answers.write(b"\x81\x04he")
        self.say(EVIL)
        for _ in range(round(LAST_FRAME * 10) + 2):
            self.clock.advance(0.1)
        self.failureResultOf(self.done, UpstreamReset)

    def test_no_frames(self) -> None:
        """What upstream says that is no frames passes; then there is no place for a word of ours."""
        self.connect()
        self.answers.write(b"\xff\xff\xff")
        self.assertEqual(self.got.data, b"\xff\xff\xff")
        self.say(EVIL)
        self.failureResultOf(self.done, UpstreamReset)

    def test_ends(self) -> None:
        """When either side leaves in the middle of a message, nothing of it stays behind."""
        for end in (lambda: self.answers.end(), lambda: self.answers.fail(UpstreamReset()), lambda: self.done.cancel()):
            self.connect()
            self.say(fragment(TEXT, b"x" * 100))
            self.assertGreater(self.inspection.budget.used, 100, end)
            end()
            self.assertEqual(self.inspection.budget.used, 0, end)
            self.done.addErrback(lambda reason: reason.trap(UpstreamReset, CancelledError))
            self.say(GOOD)
            self.assertEqual(self.upstream.data, b"", end)

    def test_slow(self) -> None:
        """A side that is behind slows the other one down."""
        self.connect()
        producer = HeldBody()

        directlyProvides(producer, IPushProducer)
        self.client.registerProducer(producer, True)
        self.assertIs(self.upstream.producer, producer)
        self.client.unregisterProducer()
        self.assertIsNone(self.upstream.producer)

    def test_no_upgrade(self) -> None:
        """An answer that is no upgrade passes as it is."""
        policy = {"param_whitelist": {"model": ["ok"]}}
        request = a_request(b"GET", b"/v1/realtime?model=ok", [], api=an_api(policy=policy))
        request.upgrade = b"websocket"
        inner = Inner()
        responding = Restrict(self.inspection).respond(request, inner)
        answer = ApiResponse(426, b"", [], None)
        inner.answer(answer)
        self.assertIs(self.successResultOf(responding), answer)
