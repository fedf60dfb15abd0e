"""
One reader of a body that several share.

It takes what has come at its own pace, from the beginning, and says so; what all of them take together is the business
of L{llmproxy.middleware.caching.sharing.SharedBody}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import classImplements

from ...errors import BodyStopped
from .body import TURN

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer, IDelayedCall


class Shared(Protocol):
    """The body, as one of its readers has it."""

    @property
    def length(self) -> int | object:
        """In bytes, or L{twisted.web.iweb.UNKNOWN_LENGTH}."""

    @property
    def ended(self) -> bool:
        """No more will come."""

    @property
    def reason(self) -> Failure | None:
        """Why it was cut short, or C{None}."""

    def start(self) -> None:
        """Begin to read it, once."""

    def next_of(self, position: int) -> bytes | None:
        """The chunk of this number, or C{None} if it has not come yet."""

    def later(self, work: Callable[[], object]) -> IDelayedCall:
        """Call C{work} in the next turn of the reactor."""

    def resumed(self) -> None:
        """A reader has taken more."""

    def balance(self) -> None:
        """A reader takes, or does not take, from now on."""

    def leave(self, reader: Reader) -> None:
        """A reader wants no more."""


class Reader:
    """
    One reader's body.

    @ivar consumer: who gets it, as long as it is read.
    @ivar position: the number of the chunk that comes next.
    @ivar paused: it takes nothing now; before it has been started it takes nothing either.
    """

    def __init__(self, shared: Shared) -> None:
        self.length = shared.length
        self.position = 0
        self.paused = True
        self._shared = shared
        self.consumer: IConsumer | None = None
        self._producing: Deferred[None] | None = None
        self._left = False
        self._advancing = False
        self._turn: IDelayedCall | None = None

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        if self._left:
            return fail(BodyStopped())
        self.consumer = consumer
        producing: Deferred[None] = Deferred(self._cancelled)
        self._producing = producing
        self.paused = False
        self.advance()
        self._shared.start()
        self._shared.resumed()
        return producing

    def pauseProducing(self) -> None:
        self.paused = True
        self._shared.balance()

    def resumeProducing(self) -> None:
        self.paused = False
        self.advance()
        if not self._left:
            self._shared.resumed()

    def stopProducing(self) -> None:
        self.cut(Failure(BodyStopped()))

    def came(self, data: bytes, number: int) -> None:
        """The chunk of this number has come."""
        if number == self.position and not self.paused and not self._advancing:
            self.position = number + 1
            self.consumer.write(data)  # type: ignore[union-attr]
        else:
            self.advance()

    def joined(self, end: int, fewer: int) -> None:
        """Chunks before the one of this number have become C{fewer}."""
        if self.position >= end:
            self.position -= fewer

    def advance(self) -> None:
        """Hand over what has come; if that is much, some of it in each turn of the reactor."""
        if self._advancing:
            return
        self._advancing = True
        shared, room = self._shared, TURN
        while not self.paused and not self._left:
            if room <= 0:
                self._go_on_later()
                break
            data = shared.next_of(self.position)
            if data is None:
                if shared.ended:
                    self._finish(shared.reason)
                break
            self.position += 1
            room -= len(data)
            self.consumer.write(data)  # type: ignore[union-attr]
        self._advancing = False

    def _go_on_later(self) -> None:
        if self._turn is None:
            self._turn = self._shared.later(self._go_on)

    def _go_on(self) -> None:
        self._turn = None
        self.advance()
        if not self._left:
            self._shared.resumed()

    def cut(self, reason: Failure) -> None:
        """End it before its time."""
        if not self._left:
            self._finish(reason)

    def _cancelled(self, _: Deferred[None]) -> None:
        self.cut(Failure(CancelledError()))

    def _finish(self, reason: Failure | None) -> None:
        self._left = self.paused = True
        producing, self._producing = self._producing, None
        self.consumer = None
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()
        self._shared.leave(self)
        if producing is None:
            return
        if reason is None:
            producing.callback(None)
        else:
            producing.errback(Failure(reason.value))


classImplements(Reader, IBodyProducer)
