"""The body of an answer out of the store: at once if it is small, else as fast as its reader takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.web.iweb import IBodyProducer
from zope.interface import classImplements

from ...bodies import BytesBody
from ...core.caching.content import LARGE, blocks
from ...errors import BodyStopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import IConsumer, IDelayedCall, IReactorTime

    from ...core.caching.content import Content

TURN = 256 * 1024
"""Bytes that one reader gets before others have their turn."""


def body_of(clock: IReactorTime, content: Content) -> IBodyProducer:
    """A body that brings C{content}."""
    if isinstance(content, bytes) and len(content) <= LARGE:
        return BytesBody(content)
    return StoredBody(clock, content)


class StoredBody:
    """
    Writes a few blocks in each turn of the reactor, none while its reader is behind: of large content no more than
    L{TURN} is ever copied for a reader. It can be started once.
    """

    def __init__(self, clock: IReactorTime, content: Content) -> None:
        self.length = len(content)
        self._clock = clock
        self._blocks: Iterator[bytes] | None = blocks(content)
        self._consumer: IConsumer | None = None
        self._producing: Deferred[None] | None = None
        self._turn: IDelayedCall | None = None
        self._paused = False
        self._writing = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        if self._blocks is None:
            return fail(BodyStopped())
        self._consumer = consumer
        producing: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._producing = producing
        self._write()
        return producing

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        if self._turn is None and self._consumer is not None and not self._writing:
            self._write()

    def stopProducing(self) -> None:
        self._blocks = self._consumer = self._producing = None
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()

    def _write(self) -> None:
        self._turn, self._writing, room = None, True, TURN
        while self._blocks is not None and not self._paused and room > 0:
            block = next(self._blocks, None)
            if block is None:
                self._end()
            else:
                room -= len(block)
                self._consumer.write(block)  # type: ignore[union-attr]
        self._writing = False
        if self._blocks is not None and not self._paused:
            self._turn = self._clock.callLater(0, self._write)

    def _end(self) -> None:
        producing = self._producing
        self.stopProducing()
        if producing is not None:
            producing.callback(None)


classImplements(StoredBody, IBodyProducer)
