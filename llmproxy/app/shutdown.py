"""The shutdown of a proxy: what runs is drained, then each part is stopped in order, by its name."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, succeed
from twisted.logger import Logger

from .ending import Ending

if TYPE_CHECKING:
    from ..message import Ending as EndingOfExchange


class AnswersCalls(Protocol):
    """
    What a stop waits for: L{llmproxy.web.jsonresource.JsonResource} is one.

    @ivar running: calls whose answer is not known yet.
    """

    running: int

    def idle(self) -> Deferred[None]: ...


Stop = tuple[str, Callable[[], object]]
"""The name of a part, and what stops it: it may return a Deferred, which is waited for."""


class Running(Protocol):
    """The exchanges that are running."""

    @property
    def in_flight(self) -> int: ...

    def idle(self) -> Deferred[Any]: ...

    def cut_all(self, ending: EndingOfExchange, /) -> None: ...


class Shutdown:
    """
    Once: who asks for it again waits for the same. A reactor that stops does it too.

    @param seconds: what running exchanges get.
    @param stops: in their order. What fails is logged, and does not keep the rest from being stopped.
    @param log: where that is said; C{None} for the log of this module.
    @ivar draining: no new requests are taken.
    @ivar leaving: C{/ready} says so, and requests are taken still.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, running: Running, seconds: float, stops: Sequence[Stop], log: Logger | None = None
    ) -> None:
        self._reactor = reactor
        self._running = running
        self._seconds = seconds
        self._stops = stops
        self._lines = self._log if log is None else log
        self._managing: list[AnswersCalls] = []
        self._managed_idle: Deferred[Any] | None = None
        self._late: Any = None
        self._delay: Callable[[], Deferred[None]] = lambda: succeed(None)
        self._ending = Ending(reactor, self._shut_down)
        self.draining = self.leaving = self._begun = False

    def with_reactor(self) -> None:
        """
        The service runs: it ends when the reactor stops, if not before.

        @raise RuntimeError: it has run already; what is closed then is not opened again.
        """
        if self._begun or self.draining:
            raise RuntimeError("a proxy is started once; to go on after its end, make another TransparentProxy")
        self._begun = True
        self._ending.with_reactor()

    def now(self) -> Deferred[None]:
        """Refuse what is new, let end what runs, cut the rest, stop everything."""
        return self._ending.now()

    def leave(self) -> None:
        """Have C{/ready} say that it is over soon."""
        self.leaving = True

    def after(self, delay: Callable[[], Deferred[None]]) -> None:
        """Take requests until the Deferred of C{delay} fires: a reactor that stops asks all who wait for it at once."""
        self._delay = delay

    def within(self, seconds: float) -> None:
        """What running exchanges get, for a drain that has not begun."""
        self._seconds = seconds

    def wait_for(self, management: AnswersCalls) -> None:
        """Its calls are made whole, too."""
        self._managing.append(management)

    def end_drain(self) -> None:
        """Wait no longer for what runs, now or when the drain begins: it is cut."""
        self._seconds = 0.0
        if self._late is not None and self._late.active():
            self._late.reset(0)
        if self._managed_idle is not None:
            self._managed_idle.cancel()

    @inlineCallbacks
    def _shut_down(self) -> Generator[Deferred[Any], Any, None]:
        self.leaving = True
        yield self._delay()
        self.draining = True
        ends = self._reactor.seconds() + self._seconds
        if self._running.in_flight:
            words = "draining: waiting up to {seconds:g} s for {count} exchanges that are running"
            self._lines.info(words, seconds=self._seconds, count=self._running.in_flight)
            yield self._drained()
        yield self._managed(ends)
        for name, stop in self._stops:
            try:
                stopping = stop()
                if isinstance(stopping, Deferred):
                    yield stopping
            except Exception:
                self._lines.failure("{part} could not be stopped cleanly", part=name)

    def _drained(self) -> Deferred[Any]:
        self._late = late = self._reactor.callLater(self._seconds, self._running.cut_all, "shutdown")

        def ended(result: Any) -> Any:
            if late.active():
                late.cancel()
            return result

        return self._running.idle().addBoth(ended)

    def _managed(self, ends: float) -> Deferred[Any]:
        """Fires when the calls of management have ended, which are made whole, or at C{ends}."""
        calls = sum(each.running for each in self._managing)
        if calls:
            self._lines.info("draining: {count} calls of management are running", count=calls)
        idle = self._managed_idle = DeferredList([each.idle() for each in self._managing], consumeErrors=True)
        return idle.addTimeout(max(0.0, ends - self._reactor.seconds()), self._reactor)
