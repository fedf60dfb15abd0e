"""A vector over real sockets: the client and the upstream that it describes, and what is different from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater

from .harness import UPSTREAM_KEY, Upstream, Wire
from .vectors import Arrived, Await, Close, Dropped, Error, HalfClose, Pause, Reset, Steps, Vector, steps

if TYPE_CHECKING:
    pass

_OURS = re.compile(
    rb"\r\n(?:Via: 1\.[01] llmproxy|(?:X-Request-ID|request-id): [0-9a-f]{16}-[0-9a-f]{8}"
    rb"|Date: [A-Z][a-z]{2}, [^\r]+ GMT)(?=\r\n)"
)
"""Fields that the proxy puts on every message."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)


class ScriptedWire(Wire):
    """
    Upstream's end of one connection: reads requests one after another, and answers as the script says.

    @ivar switched: it has agreed to another protocol; what comes then is left in C{received}.
    """

    def __init__(self, upstream: Scripted) -> None:
        super().__init__()
        self._upstream = upstream
        self.switched = False

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        upstream = self._upstream
        upstream.used.setdefault(self)
        while self.closed is None and not self.switched:
            size = size_of(self.received, upstream.at_head)
            if not size:
                break
            request, self.received = self.received[:size], self.received[size:]
            upstream.take(self, request)


class Scripted(Upstream):
    """
    An upstream that answers each whole request with the next of its answers, C{200} once they are used up.

    @ivar at_head: it answers when it has the head.
    @ivar seen: the requests.
    @ivar used: the connections they came on, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counted: list[tuple[int, Deferred[None]]] = []
        self.begin((), False)

    def begin(self, answers: Sequence[Steps], at_head: bool, client: Wire | None = None) -> None:
        self._client = client
        self._answers = list(answers)
        self.at_head = at_head
        self.seen: list[bytes] = []
        self.used: dict[ScriptedWire, None] = {}

    def across(self, wire: Wire) -> list[Wire]:
        """The ends on the other side of the proxy."""
        if wire is self._client:
            return [*self.used]
        return [] if self._client is None else [self._client]

    def until_seen(self, count: int) -> Deferred[None]:
        """Wait until it has read so many requests."""
        waiting: Deferred[None] = Deferred()
        self._counted.append((count, waiting))
        waiting.addTimeout(5.0, reactor)
        self._tell()
        return waiting

    def _tell(self) -> None:
        due = [(count, waiting) for count, waiting in self._counted if len(self.seen) >= count]
        self._counted = [each for each in self._counted if each not in due]
        for _, waiting in due:
            waiting.callback(None)

    def buildProtocol(self, addr: Any) -> Wire:
        wire = ScriptedWire(self)
        self.wires.append(wire)
        return wire

    def take(self, wire: ScriptedWire, request: bytes) -> None:
        self.seen.append(request)
        self._tell()
        answer: Steps = self._answers.pop(0) if self._answers else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        wire.switched = any(isinstance(step, bytes) and b" 101 " in step for step in steps(answer))
        # What a closed connection says no more is not an error of the test.
        Deferred.fromCoroutine(perform(wire, answer, self)).addErrback(lambda reason: reason.trap(TimeoutError))


def size_of(data: bytes, at_head: bool = False) -> int:
    """How many bytes the first request in C{data} has; 0 if it is not here whole."""
    head, end, _ = data.partition(b"\r\n\r\n")
    size = len(head) + 4
    if not end or at_head:
        return size if end else 0
    if _CHUNKED.search(head):
        return _end_of_chunks(data, size)
    length = _LENGTH.search(head)
    size += int(length[1]) if length else 0
    return size if size <= len(data) else 0


def _end_of_chunks(data: bytes, at: int) -> int:
    while True:
        line, end, _ = data[at:].partition(b"\r\n")
        if not end:
            return 0
        at += len(line) + 2
        chunk = int(line.partition(b";")[0], 16)
        if not chunk:
            trailers = data.find(b"\r\n\r\n", at - 2)
            return trailers + 4 if trailers >= 0 else 0
        at += chunk + 2


async def perform(wire: Wire, script: Steps, upstream: Scripted, secret: bytes = b"") -> None:
    """Do what C{script} says at one end of a connection, for as long as that is open."""
    transport: Any = wire.transport
    heard = 0
    for step in steps(script):
        if wire.closed is not None:
            return
        if isinstance(step, bytes):
            transport.write(step.replace(b"TOKEN", secret))
        elif isinstance(step, Pause):
            await _while_it_turns(step.seconds)
        elif isinstance(step, Arrived):
            wanted = step.data
            await _until(lambda wanted=wanted: any(wanted in end.received for end in upstream.across(wire)))  # type: ignore[misc]
        elif isinstance(step, Dropped):
            await _until(lambda: any(end.closed is not None for end in upstream.used))
        elif isinstance(step, Await):
            wanted = step.data
            await wire.until(lambda at=heard, wanted=wanted: wanted in wire.received[at:] or wire.closed is not None)  # type: ignore[misc]
            heard = wire.received.find(wanted, heard) + len(wanted)
        elif isinstance(step, HalfClose):
            transport.loseWriteConnection()
        elif isinstance(step, Close):
            transport.loseConnection()
        elif isinstance(step, Reset):
            transport.abortConnection()


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until something is true of somebody else's end."""
    for _ in range(2000):
        if condition():
            return
        await deferLater(reactor, 0.001)
    raise TimeoutError


async def _while_it_turns(seconds: float) -> None:
    """Pause, and let everybody here read what there is, even if this process had to wait for the processor."""
    await deferLater(reactor, seconds)
    for _ in range(10):
        await deferLater(reactor, 0)


class Conversation:
    """
    What became of a vector.

    @param client: connected to the proxy.
    """

    def __init__(self, vector: Vector, client: Wire, upstream: Scripted, secret: str, origin: str) -> None:
        self._vector = vector
        self._client = client
        self._upstream = upstream
        self._secret = secret.encode()
        self._origin = origin.encode()

    async def problems(self) -> list[str]:
        """Hold it; what is not as the vector says."""
        vector, upstream = self._vector, self._upstream
        upstream.begin(vector.answers, vector.partial is None, self._client)
        found = []
        try:
            await perform(self._client, vector.sends, upstream, self._secret)
            await self._client.until(self._done)
            if vector.dropped:
                await next(iter(upstream.used)).until_closed()
        except (TimeoutError, StopIteration) as error:
            found.append(f"never: {error!r}")
        # What would be one byte too many, or a request that slipped through, is on its way by now.
        await deferLater(reactor, 0)
        await deferLater(reactor, 0)
        return found + self._differences()

    def _done(self) -> bool:
        if self._vector.ends != "open":
            return self._client.closed is not None
        return self._client.closed is not None or self._matches()

    def _matches(self) -> bool:
        got, gets = _OURS.sub(b"", self._client.received), self._vector.gets
        return got == gets if isinstance(gets, bytes) else is_error(got, gets)

    def _differences(self) -> list[str]:
        vector, client, upstream = self._vector, self._client, self._upstream
        found = []
        if not self._matches():
            found.append(f"client got {_OURS.sub(b'', client.received)[-600:]!r}, not {vector.gets!r}")
        sees = [self._told(request) for request in vector.sees]
        seen = [_OURS.sub(b"", request) for request in upstream.seen]
        if seen != sees:
            found.append(f"upstream saw {seen[-3:]!r}, not {sees[-3:]!r}")
        rest = b"".join(_OURS.sub(b"", wire.received) for wire in upstream.used)
        if vector.partial is not None and rest != self._told(vector.partial):
            found.append(f"upstream saw the part {rest!r}, not {vector.partial!r}")
        how = client.closed
        if (how is None) != (vector.ends == "open") or (
            vector.ends == "closed" and how and not how.check(ConnectionDone)
        ):
            found.append(f"the client's connection is {how and how.value!r}, not {vector.ends}")
        if not vector.dropped and any(wire.closed for wire in upstream.used):
            found.append("upstream's connection was dropped")
        return found

    def _told(self, message: bytes) -> bytes:
        return message.replace(b"ORIGIN", self._origin).replace(b"KEY", UPSTREAM_KEY.encode())


def is_error(got: bytes, error: Error) -> bool:
    """Whether a client got this error, and before and after it what it should."""
    if not got.startswith(error.before) or not got.endswith(error.after):
        return False
    message = got[len(error.before) : len(got) - len(error.after)]
    head, _, body = message.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return (
        head.startswith(b"HTTP/1.1 %d " % error.status)
        and length is not None
        and int(length[1]) == len(body)
        and b'"%b"' % error.code.encode() in body
        and (b"\r\nConnection: close" in head) == error.last
    )
