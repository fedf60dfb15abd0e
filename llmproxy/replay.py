"""A request body that can be started again, as long as what has passed of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from .errors import BodyStopped

if TYPE_CHECKING:
    from .core.budget import Budget
    from .message import Field

REPLAY_LIMIT = 1 << 20
"""Bytes that are kept of one body, unless its maker says otherwise: nearly every request without files is below."""

_ON_ITS_WAY = 256 * 1024
"""Bytes that a body may still give after it was paused: the most that is read at once."""

_JOINED = 1024
"""Bytes up to which chunks are kept as one: what a client sends byte by byte takes no more memory than is counted."""


@implementer(IBodyProducer, IConsumer)
class ReplayableBody:
    """
    Each start gives the content from its beginning: what was kept, then the rest as it comes.

    A reader that stops, or whose Deferred is cancelled, leaves the body within paused for the next one; where none can
    follow (more has passed than is kept, or L{release} was called) it is stopped. Only one reader at a time.

    The Deferred of a start fails with what the body within fails with; nothing can be replayed then.

    @param limit: bytes that are kept.
    @param budget: of all bodies; what cannot be taken from it is not kept.
    @ivar length: that of the body within.
    """

    def __init__(self, body: IBodyProducer, budget: Budget, limit: int = REPLAY_LIMIT) -> None:
        self.length = body.length
        self._body = body
        self._limit = limit
        self._lease = budget.lease()
        self._kept: list[bytes] | None = []
        self._begun = False
        self._producing: Deferred[None] | None = None
        self._ended = False
        self._failure: Failure | None = None
        self._consumer: IConsumer | None = None
        self._done: Deferred[None] | None = None
        self._written = 0
        self._paused = False
        self._released = False

    @property
    def can_replay(self) -> bool:
        """Whether a start now, or after the present reader, gives all of the content."""
        return self._kept is not None and self._failure is None and not self._released

    @property
    def trailers(self) -> Sequence[Field]:
        """The trailer section of the body within, once that has ended."""
        return getattr(self._body, "trailers", ())

    def release(self) -> None:
        """No start will follow: what is kept goes, and the body within is stopped if nobody reads it. Idempotent."""
        self._released = True
        if self._consumer is None:
            self._drop()
            self._stop_within()
        elif self._is_live():
            self._drop()

    def keep_no_more_than(self, limit: int) -> None:
        """Keep C{limit} bytes from now on, or what is kept already and a chunk that may be on its way."""
        self._limit = min(self._limit, max(limit, self._lease.size + _ON_ITS_WAY))

    def leave(self) -> None:
        """Nobody reads any more, if anybody did: the next start may come. Idempotent."""
        if self._consumer is not None:
            self._detach()

    # -- IBodyProducer

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        assert self._consumer is None, "one reader at a time"
        if self._failure is not None or self._kept is None:
            return fail(self._failure or Failure(BodyStopped("what has passed is not kept")))
        self._consumer = consumer
        self._written = 0
        self._paused = False
        done = self._done = Deferred(self._cancelled)
        if self._begun:
            self._go_on()
        else:
            self._begun = True
            producing = self._producing = self._body.startProducing(self)
            producing.addCallbacks(self._complete, self._failed)
        return done

    def pauseProducing(self) -> None:
        self._paused = True
        if self._is_live():
            self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self._detach()

    # -- IConsumer, for the body within

    def write(self, data: bytes) -> None:
        if self._failure is not None:
            return
        live = self._is_live()
        self._keep(data)
        if self._consumer is None:
            if self._kept is None:
                # A body that is paused can have a chunk on its way; without it nobody can be given the whole.
                self._stop_within()
        elif live:
            if self._kept is not None:
                self._written = len(self._kept)
            self._consumer.write(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    # --

    def _is_live(self) -> bool:
        """Whether the present reader has been given all that has passed: what comes goes straight on."""
        return self._consumer is not None and (self._kept is None or self._written == len(self._kept))

    def _keep(self, data: bytes) -> None:
        kept = self._kept
        if kept is None:
            return
        if self._is_live() and self._released:
            self._drop()
        elif self._lease.size + len(data) <= self._limit and self._lease.take(len(data)):
            if kept and len(kept[-1]) + len(data) <= _JOINED:
                kept[-1] += data
            else:
                kept.append(data)
        elif self._consumer is None or self._is_live():
            self._drop()
        else:
            # The present reader still lacks a part: it gets this chunk too, and nobody after it.
            self._released = True
            kept.append(data)

    def _go_on(self) -> None:
        """Write what is kept, for as long as the reader takes it; then let the body within go on."""
        while self._consumer is not None and not self._paused and not self._is_live():
            assert self._kept is not None
            chunk = self._kept[self._written]
            self._written += 1
            self._consumer.write(chunk)
        if self._is_live() and not self._paused:
            if self._released:
                self._drop()
            if self._ended:
                self._finish(None)
            else:
                self._body.resumeProducing()

    def _complete(self, _: None) -> None:
        self._ended = True
        self._producing = None
        if self._is_live():
            self._finish(None)

    def _failed(self, reason: Failure) -> None:
        self._producing = None
        self._failure = reason
        self._drop()
        self._finish(reason)

    def _finish(self, outcome: Failure | None) -> None:
        done, self._done = self._done, None
        self._consumer = None
        if self._released:
            self._drop()
        if done is not None:
            done.callback(outcome)

    def _cancelled(self, _: Deferred[None]) -> None:
        self._detach()

    def _detach(self) -> None:
        """The present reader takes nothing more."""
        self._consumer = self._done = None
        if not self.can_replay:
            self._drop()
            self._stop_within()
        elif self._begun and not self._ended:
            self._body.pauseProducing()

    def _stop_within(self) -> None:
        if not self._ended and self._failure is None:
            self._failure = Failure(BodyStopped())
            self._body.stopProducing()

    def _drop(self) -> None:
        self._kept = None
        self._lease.end()
