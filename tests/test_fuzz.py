"""
Whatever comes from a client or upstream: a whole proxy in memory answers it, refuses it, or waits for a stated time.

The bytes are those of the vectors in tests/integration/vectors, cut and changed in all ways. h11 is a second
opinion on what goes out: nobody may read other messages from it than those that were meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Any

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import ITCPTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from .harness import KEY, SECRET, Exchange, Socket
from .integration.conversation import size_of
from .integration.vectors import (
    connections,
    expectations,
    fields,
    framing,
    request_line,
    response_framing,
    responses,
    steps,
    upgrades,
)
from .properties import examples
from .web.wire import Transport

EXAMPLES = examples(150)
"""How many of each; a night's worth is LLMPROXY_EXAMPLES=1000."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

AGREED = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"

REQUESTS = [
    b"".join(step for step in steps(vector.sends) if isinstance(step, bytes)).replace(b"TOKEN", SECRET)
    for table in (request_line, fields, framing, connections, expectations, upgrades)
    for vector in table.VECTORS
]
REQUESTS = [data for data in REQUESTS if 0 < len(data) < 2000]
RESPONSES = [
    b"".join(step for step in steps(answer) if isinstance(step, bytes))
    for table in (responses, response_framing)
    for vector in table.VECTORS
    for answer in vector.answers
]
RESPONSES = [data for data in RESPONSES if 0 < len(data) < 2000]

JUNK = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"1", b"-", b"+", b"\xff", b"\r\n\r\n",
    b"0\r\n\r\n",
    b"1\r\nx\r\n", b"ffffffffffffffff", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n", b"Host: other\r\n", b"HTTP/1.1", b"HTTP/1.0", b"GET /v1/y HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
]  # fmt: skip

PLACE = st.integers(0, 4000)
CHANGE = st.one_of(
    st.tuples(st.just("insert"), PLACE, st.sampled_from(JUNK) | st.binary(max_size=4)),
    st.tuples(st.just("delete"), PLACE, st.integers(1, 30)),
    st.tuples(st.just("repeat"), PLACE, st.integers(1, 60)),
    st.tuples(st.just("set"), PLACE, st.binary(min_size=1, max_size=1)),
)
CHANGES = st.lists(CHANGE, max_size=3)
CUTS = st.lists(PLACE, max_size=6)


def changed(data: bytes, changes: Sequence[tuple[str, int, Any]]) -> bytes:
    """C{data} with changes made to it one after another."""
    for what, at, how in changes:
        at %= len(data) + 1
        if what == "insert":
            data = data[:at] + how + data[at:]
        elif what == "delete":
            data = data[:at] + data[at + how :]
        elif what == "repeat":
            data = data[: at + how] + data[at:]
        else:
            data = data[:at] + how + data[at + 1 :]
    return data


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(at % (len(data) + 1) for at in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


class Fuzzed:
    """
    A proxy with one client, and an upstream that answers each whole request at once, and agrees to switch protocols.
    """

    def __init__(self, exchange: Exchange | None = None) -> None:
        self.exchange = Exchange(strangers=True) if exchange is None else exchange
        self.client = self.connect()
        self.seen: list[bytes] = []
        self._read: dict[Socket, int] = {}
        self._switched: set[Socket] = set()

    def connect(self) -> Transport:
        """Another connection of the client."""
        client = Transport(self.exchange.clock, "192.0.2.7")
        alsoProvides(client, ITCPTransport)
        client.protocol = self.exchange.site.buildProtocol(None)
        client.protocol.makeConnection(client)
        return client

    def turn(self, answer: bool = True) -> None:
        """Let everything happen that happens at once."""
        for _ in range(50):
            self.exchange.clock.advance(0)
            if not (answer and self._answer()):
                break

    def _answer(self) -> bool:
        answered = False
        for socket in self.exchange.upstream:
            if socket in self._switched:
                continue
            at = self._read.get(socket, 0)
            size = size_of(socket.sent[at:])
            if size:
                self.seen.append(socket.sent[at : at + size])
                self._read[socket] = at + size
                if b"\r\nUpgrade: " in self.seen[-1]:
                    self._switched.add(socket)
                    socket.receive(AGREED)
                else:
                    socket.receive(OK)
                answered = True
        return answered

    def partial(self) -> list[Socket]:
        """Upstream's connections on which a request has begun and not ended."""
        speaking = [socket for socket in self.exchange.upstream if socket not in self._switched]
        return [socket for socket in speaking if socket.sent[self._read.get(socket, 0) :]]

    def settle(self) -> None:
        """Time passes, more of it than any deadline has."""
        self.turn()
        for _ in range(130):
            self.exchange.clock.advance(10)
            self.turn()

    def left(self) -> list[str]:
        """What is still there although nothing can come of it."""
        exchange = self.exchange
        found = [] if self.client.ended else ["the client's connection"]
        found += ["exchanges"] * exchange.account.in_flight
        found += ["watches"] * len(exchange.revocations.watches)
        found += ["connections of the site"] * exchange.site.connections
        found += ["connections to upstream"] * exchange.client_pool.pool.connections
        found += [f"deadlines: {exchange.wheel.standing}"] * (exchange.wheel.standing > 0)
        found += [f"timer {call}" for call in exchange.clock.getDelayedCalls()]
        return found


def answer(data: bytes, method: bytes, closed: bool) -> tuple[int, bytes, bytes] | None:
    """
    Status and content of the first response in C{data} as h11 reads it, and what follows it.

    @param closed: the connection was closed after it.
    @return: C{None} for one that is not whole, or none to h11.
    """
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    if closed:
        connection.receive_data(b"")
    status, content = 0, b""
    try:
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                content += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, content, connection.trailing_data[0]
    except h11.RemoteProtocolError:
        pass
    return None


def requests(data: bytes) -> list[bytes]:
    """The targets of the requests that h11 reads in C{data}."""
    found = []
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    while (event := connection.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.Request):
            found.append(event.target)
        elif event is h11.PAUSED:
            connection.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                break
            connection.start_next_cycle()
    return found


class ClientTests(SynchronousTestCase):
    """What clients may send."""

    def held(self, data: bytes, cuts: Sequence[int], ending: str) -> Fuzzed:
        """A conversation with these bytes, up to the time when nothing can happen any more."""
        fuzzed = Fuzzed()
        for piece in pieces(data, cuts):
            if not fuzzed.client.ended:
                fuzzed.client.deliver(piece)
                fuzzed.turn()
        if ending == "half-closed":
            fuzzed.client.end()
        elif ending == "gone":
            fuzzed.client.reset()
        fuzzed.settle()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(fuzzed.left(), [])
        return fuzzed

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(
        st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=2),
        CHANGES,
        CUTS,
        st.sampled_from(["open", "half-closed", "gone"]),
    )
    def test_any(self, seeds: list[bytes], changes: Any, cuts: list[int], ending: str) -> None:
        """
        Nothing is logged as a failure, nothing is left when time has passed, and upstream reads whole requests with
        the project's key; one that was begun and refused has its connection broken off.
        """
        fuzzed = self.held(changed(b"".join(seeds), changes), cuts, ending)
        for request in fuzzed.seen:
            self.assertEqual(request.count(b"\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"), 1, request)
            self.assertEqual(request.lower().count(b"\r\nhost: 192.0.2.9\r\n"), 1, request)
            self.assertEqual(len(requests(request)), 1, request)
        for socket in fuzzed.partial():
            self.assertEqual(socket.state, "aborted", socket)

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=2), CHANGES, CUTS)
    def test_any_split(self, seeds: list[bytes], changes: Any, cuts: list[int]) -> None:
        """
        However the network cuts the bytes, upstream sees the same requests and the client gets the same answers. After
        one that was refused before its body had come the connection may end, or go on with the next.
        """
        data = changed(b"".join(seeds), changes)
        whole, split = self.told(data, []), self.told(data, cuts)
        common = min(len(whole[0]), len(split[0]))
        self.assertEqual(whole[0][:common], split[0][:common])
        self.assertEqual(_up_to_a_refusal(whole[1]), _up_to_a_refusal(split[1]))
        if max(whole[1], default=0) < 400:
            self.assertEqual(whole[0], split[0])

    def told(self, data: bytes, cuts: list[int]) -> tuple[list[Any], list[int]]:
        """What upstream saw, and the statuses that the client got."""
        fuzzed = self.held(data, cuts, "open")
        statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 ([2-5][0-9]{2}) ", fuzzed.client.sent)]
        return _nameless(fuzzed.seen), statuses


def _up_to_a_refusal(statuses: list[int]) -> list[int]:
    return [*takewhile(lambda status: status < 400, statuses), *([400] if max(statuses, default=0) >= 400 else [])]


def _nameless(seen: list[bytes]) -> list[bytes]:
    """
    Requests without the identifiers that differ from one conversation to another, the sizes of chunks, and
    expectations: upstream gets one only where the body is still to come, as it is not if all came in one read.
    """
    found = []
    for request in seen:
        head, _, body = request.partition(b"\r\n\r\n")
        kept = [line for line in head.split(b"\r\n") if not line.startswith((b"X-Request-ID: ", b"Expect: "))]
        if b"Transfer-Encoding: chunked" in kept:
            body = _content(request)
        found.append(b"\r\n".join([*kept, b"", body]))
    return found


def _content(request: bytes) -> bytes:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(request)
    content = b""
    while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
        if isinstance(event, h11.Data):
            content += event.data
        elif isinstance(event, h11.EndOfMessage):
            return content + repr(event.headers.raw_items()).encode()
    return content


class UpstreamTests(SynchronousTestCase):
    """What upstream may answer."""

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(
        st.lists(st.sampled_from(RESPONSES), min_size=1, max_size=2),
        CHANGES,
        CUTS,
        st.sampled_from(["open", "closed"]),
        st.sampled_from([b"GET", b"HEAD"]),
    )
    def test_any(self, seeds: list[bytes], changes: Any, cuts: list[int], ending: str, method: bytes) -> None:
        """
        The client gets a whole answer or one that is visibly none, in time; a whole one has the content that a second
        parser reads from what upstream sent.
        """
        data = changed(b"".join(seeds), changes)
        fuzzed = Fuzzed()
        fuzzed.client.deliver(method + b" /v1/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + SECRET + b"\r\n\r\n")
        fuzzed.turn(answer=False)
        [upstream] = fuzzed.exchange.upstream
        for piece in pieces(data, cuts):
            upstream.receive(piece)
            fuzzed.turn(answer=False)
        if ending == "closed":
            upstream.close()
        for _ in range(130):
            fuzzed.exchange.clock.advance(10)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(fuzzed.left(), [])
        got, meant = answer(fuzzed.client.sent, method, closed=False), answer(data, method, closed=ending == "closed")
        if got is not None:
            self.assertEqual(got[2], b"")
            if got[0] not in (502, 504) and meant is not None:
                self.assertEqual(got[:2], meant[:2])
