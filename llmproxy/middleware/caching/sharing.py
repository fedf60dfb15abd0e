"""
One body of upstream for several readers, kept on its way for a store.

What is kept whole can be read from its beginning by those who come later. Once it is larger than the limit it
is dropped: then nobody joins any more, and what waits is only what the slowest reader has not taken yet. A single
reader who has had all that came gets the rest without a detour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from zope.interface import implementer

from ...core.caching.content import PIECE
from ...errors import BodyStopped
from .reader import Reader

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.web.iweb import IBodyProducer

STALL = 10.0
"""Seconds that a reader may hold up the others before it is cut off."""


class ReaderTooSlow(Exception):
    """A reader that shared a body with others fell behind and did not catch up."""


class Budget:
    """
    How many bytes all bodies that are being kept may hold together.

    @ivar left: in bytes.
    """

    def __init__(self, size: int) -> None:
        self.left = size


@implementer(IConsumer)
class SharedBody:
    """
    Pulls C{body} as fast as its fastest reader takes it, within the limit.

    It stops upstream when its last reader leaves, unless it has been asked to C{run}.

    @param limit: bytes that are kept, and that a slow reader may lag behind.
    @param kept: called once with all of it in pieces at the complete end, or with C{None} if the body was cut short
        or has become too large; for a too large one while it flows.
    @ivar direct: takes what comes as it is: the consumer of the only reader, while nothing is kept and nothing waits.
    """

    def __init__(
        self,
        clock: IReactorTime,
        body: IBodyProducer,
        limit: int,
        budget: Budget,
        kept: Callable[[list[bytes] | None], object],
    ) -> None:
        self.length = body.length
        self._clock = clock
        self._body = body
        self._limit = limit
        self._budget = budget
        self._kept: Callable[[list[bytes] | None], object] | None = kept
        self._chunks: list[bytes] = []
        # The number of the first chunk that is still there, and the bytes of all that are.
        self._first = 0
        self._size = 0
        # Of what is kept: so many chunks stay as they are, and so many bytes of small ones came since.
        self._solid = 0
        self._loose = 0
        self._readers: list[Reader] = []
        self.direct: IConsumer | None = None
        self._producing: Deferred[None] | None = None
        self._started = False
        self._moved_at = 0.0
        self._running_alone = False
        self._paused = False
        self._stalled: IDelayedCall | None = None
        self._ended = False
        self._reason: Failure | None = None

    @property
    def joinable(self) -> bool:
        """Whether a reader that comes now can have all of it."""
        return self._kept is not None and not self._ended

    def is_stuck(self, since: float) -> bool:
        """Whether nothing has come since that moment, though somebody would take it."""
        return self._started and not (self._ended or self._paused) and self._moved_at <= since

    def reader(self) -> Reader:
        """Another reader, from the beginning. Its owner starts or stops it."""
        reader = Reader(self)
        self._readers.append(reader)
        return reader

    def run(self) -> None:
        """Read it to its end though nobody wants it now."""
        self._running_alone = True
        self.start()

    def stop(self) -> None:
        """Cut it short for everybody."""
        self._running_alone = False
        for reader in tuple(self._readers):
            reader.stopProducing()
        self._left_alone()

    # -- from upstream

    def write(self, data: bytes) -> None:
        if self.direct is not None:
            self.direct.write(data)
            return
        size, number = len(data), self._first + len(self._chunks)
        self._chunks.append(data)
        self._size += size
        if self._kept is not None:
            self._moved_at = self._clock.seconds()
            self._budget.left -= size
            if self._size > self._limit or self._budget.left < 0:
                self._keep_no_more()
        readers = self._readers
        for reader in readers if len(readers) == 1 else tuple(readers):
            reader.came(data, number)
        if self._kept is None:
            self._trim()
            self.balance()
        elif size >= PIECE and not self._loose:
            self._solid += 1
        else:
            self._gather(size)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def start(self) -> None:
        """Begin to read it, once."""
        if self._started:
            return
        self._started = True
        self._moved_at = self._clock.seconds()
        producing = self._body.startProducing(self)
        self._producing = producing
        producing.addCallbacks(lambda _: self._end(None), self._end)

    def _end(self, reason: Failure | None) -> None:
        self._ended = True
        self.direct = None
        self._reason = reason
        self._producing = None
        # It holds us as its consumer.
        del self._body
        self._no_stall()
        chunks = self._chunks if reason is None else None
        if self._kept is not None:
            self._budget.left += self._size
            self._hand_over(None if chunks is None else list(chunks))
        for reader in tuple(self._readers):
            reader.advance()

    def _gather(self, size: int) -> None:
        """Make one of the small chunks that came together, unless somebody is in the midst of them."""
        large = size >= PIECE
        self._loose += 0 if large else size
        if not large and self._loose < PIECE:
            return
        chunks, start, end = self._chunks, self._solid, len(self._chunks) - large
        if end - start > 1 and not any(start < reader.position < end for reader in self._readers):
            chunks[start:end] = [b"".join(chunks[start:end])]
            for reader in self._readers:
                reader.joined(end, end - start - 1)
        self._solid, self._loose = len(chunks), 0

    def _keep_no_more(self) -> None:
        self._budget.left += self._size
        self._hand_over(None)

    def _hand_over(self, chunks: list[bytes] | None) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept(chunks)

    # -- from readers

    def next_of(self, position: int) -> bytes | None:
        """The chunk of this number, or C{None} if it has not come yet."""
        at = position - self._first
        return self._chunks[at] if at < len(self._chunks) else None

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def reason(self) -> Failure | None:
        """Why it was cut short, or C{None}."""
        return self._reason

    def later(self, work: Callable[[], object]) -> IDelayedCall:
        """Call C{work} in the next turn of the reactor."""
        return self._clock.callLater(0, work)

    def resumed(self) -> None:
        """A reader has taken more."""
        if self._kept is None:
            self._trim()
        self.balance()

    def leave(self, reader: Reader) -> None:
        """A reader wants no more."""
        if reader in self._readers:
            self._readers.remove(reader)
        self.direct = None
        if not self._readers:
            self._left_alone()
        else:
            self.resumed()

    def _left_alone(self) -> None:
        if self._ended:
            # A reader is part of what the collector takes away some day; what it has read need not wait for that.
            self._chunks.clear()
            return
        if self._running_alone:
            return
        self._no_stall()
        if self._producing is not None:
            self._producing.cancel()
        elif not self._started:
            self._started = True
            self._body.stopProducing()
            self._end(Failure(BodyStopped()))

    def _trim(self) -> None:
        """Drop what every reader has had."""
        if not self._readers:
            taken = len(self._chunks)
        else:
            taken = min(reader.position for reader in self._readers) - self._first
        if taken > 0:
            self._size -= sum(map(len, self._chunks[:taken]))
            del self._chunks[:taken]
            self._first += taken

    def balance(self) -> None:
        """Pause upstream while nobody takes anything, or while one lags too far behind."""
        only = self._readers[0] if len(self._readers) == 1 and self._kept is None and not self._chunks else None
        self.direct = only.consumer if only is not None and not only.paused else None
        if self._ended or not self._started:
            return
        lagging = self._kept is None and self._size > self._limit and len(self._readers) > 1
        wanted = self._running_alone or any(not reader.paused for reader in self._readers)
        pause = lagging or not wanted
        if pause != self._paused:
            self._paused = pause
            (self._body.pauseProducing if pause else self._body.resumeProducing)()
        if not lagging or not wanted:
            self._no_stall()
        elif self._stalled is None:
            self._stalled = self._clock.callLater(STALL, self._cut_slowest)

    def _cut_slowest(self) -> None:
        self._stalled = None
        for reader in tuple(self._readers):
            if reader.position == self._first and len(self._readers) > 1:
                reader.cut(Failure(ReaderTooSlow()))
        self.resumed()

    def _no_stall(self) -> None:
        stalled, self._stalled = self._stalled, None
        if stalled is not None:
            stalled.cancel()
