"""Active checks of upstreams, each at its interval, for as long as a generation takes what is new."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..bodies import collect
from ..core.healthrow import HealthRow
from ..errors import BodyStopped

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from ..core.healthrow import Outcome
    from ..core.upstreamstate import UpstreamState
    from ..origin import Upstream
    from ..upstream.client import PooledClient


LONGEST = 64 * 1024
"""Bytes of an answer that are read, so that its connection can be used again."""


@frozen(eq=False)
class Checked:
    """
    An upstream that is checked.

    @ivar state: where what was found is noted.
    @ivar client: that requests to it go through.
    """

    api: str
    upstream: Upstream
    state: UpstreamState
    client: PooledClient


class HealthChecks:
    """
    The first check of each comes at once. Nobody's key goes out with one.

    @param clock: of intervals and time limits, and of the states.
    """

    def __init__(self, clock: IReactorTime, checked: Iterable[Checked]) -> None:
        self._checkers = [_Checker(clock, each) for each in checked]
        self._started = False

    def start(self) -> None:
        """Idempotent; after L{stop} nothing starts any more."""
        if not self._started:
            self._started = True
            for checker in self._checkers:
                checker.check()

    def stop(self) -> None:
        """End what runs, and begin nothing more. Idempotent."""
        self._started = True
        checkers, self._checkers = self._checkers, []
        for checker in checkers:
            checker.stop()


@define(eq=False)
class _Checker:
    """One upstream."""

    _log = Logger()

    clock: IReactorTime
    checked: Checked
    _row: HealthRow = field(init=False)
    _next: IDelayedCall | None = field(default=None, init=False)
    _asking: Deferred[Any] | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        assert self.checked.upstream.health is not None
        # The generation before may know it already.
        self._row = HealthRow(self.checked.upstream.health, not self.checked.state.unwell)

    def check(self) -> None:
        self._next = None
        asking: Deferred[int] = Deferred.fromCoroutine(self._ask())
        self._asking = asking
        asking.addTimeout(self._row.settings.timeout, self.clock)
        asking.addCallbacks(self._answered, self._unanswered)
        asking.addBoth(self._ended)

    def stop(self) -> None:
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> int:
        """The status of an answer that has come whole."""
        upstream, client = self.checked.upstream, self.checked.client
        destination = client.destination(upstream.origin.url.encode("ascii"), upstream.server_name)
        fields = [(b"Host", upstream.host or upstream.origin.netloc), (b"User-Agent", b"llmproxy-health")]
        path = self._row.settings.path.encode("ascii")
        response = await client.send(destination, b"GET", path, fields, None)
        if response.body is not None:
            try:
                await collect(response.body, LONGEST, BodyStopped)
            except BodyStopped:
                # It is longer.
                pass
        return int(response.code)

    def _answered(self, status: int) -> None:
        self._note("passed" if status in self._row.settings.statuses else "refused", str(status))

    def _unanswered(self, reason: Failure) -> None:
        if not self._stopped:
            self._note("unanswered", type(reason.value).__name__)

    def _note(self, outcome: Outcome, said: str) -> None:
        if self._stopped or not self._row.note(outcome):
            return
        state = self.checked.state
        state.checked(self._row.well, self.clock.seconds())
        self._log.warn(
            "upstream {upstream} of {api} is {health}, as its health check says: {said}",
            upstream=self.checked.upstream.name,
            api=self.checked.api,
            health="well again" if self._row.well else "not well",
            said=said,
        )

    def _ended(self, outcome: Any) -> None:
        self._asking = None
        if isinstance(outcome, Failure):
            self._log.failure("a health check went wrong", outcome)
        if not self._stopped:
            self._next = self.clock.callLater(self._row.settings.interval, self.check)
