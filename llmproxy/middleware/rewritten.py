"""A body whose bytes are changed as they flow. Its length is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from ..bodies import trailers_of

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..message import Fields


class Rewriter(Protocol):
    """What changes bytes; it may hold some of them until it knows more."""

    def feed(self, data: bytes, /) -> bytes:
        """What goes on of what was held and C{data}."""

    def end(self) -> bytes:
        """What goes on of what is held, as nothing more comes."""


@implementer(IBodyProducer, IConsumer)
class Rewritten:
    """
    Pausing, stopping and cancelling it reaches the body within.

    @param body: has not been started.
    """

    length = UNKNOWN_LENGTH

    def __init__(self, body: IBodyProducer, rewriter: Rewriter) -> None:
        self._body = body
        self._rewriter = rewriter
        self._consumer: IConsumer | None = None

    @property
    def trailers(self) -> Fields:
        """The trailer section of the body within, once that has ended."""
        return trailers_of(self._body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        producing: Deferred[None] = self._body.startProducing(self)
        return producing.addBoth(self._end)

    def pauseProducing(self) -> None:
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._consumer = None
        self._body.stopProducing()

    # -- called by the body within

    def write(self, data: bytes) -> None:
        consumer = self._consumer
        if consumer is not None:
            passed = self._rewriter.feed(data)
            if passed:
                consumer.write(passed)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise NotImplementedError("a body is its own producer")

    def unregisterProducer(self) -> None:
        raise NotImplementedError("a body is its own producer")

    def _end(self, outcome: Failure | None) -> Failure | None:
        consumer, self._consumer = self._consumer, None
        rest = self._rewriter.end()
        if rest and consumer is not None:
            consumer.write(rest)
        return outcome
