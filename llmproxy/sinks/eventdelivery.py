"""The delivery of batches to a sink, and what becomes of those that it does not take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger

from ..core.events.encoding import encode
from ..core.events.letters import letter_time
from ..core.events.receipts import DeliveryFailure, PassingFailure, PermanentFailure, Receipt

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from ..core.events import Event
    from ..core.events.policy import SinkPolicy
    from ..interfaces.events import IEventSink
    from .deadletters import DeadLetters
    from .registry import RunInThread


class EventDelivery:
    """
    A L{llmproxy.sinks.delivery.DeliverySink} of events.

    A batch that is never taken is tried in halves until the events that are to blame are found: those become dead
    letters, all others are delivered.

    @param run: calls a function on a thread.
    @ivar name: the sink's.
    @ivar dead: events that became dead letters.
    @ivar lost: events that should have, and for which there was no place.
    @ivar batches: that were taken.
    @ivar error: what the last attempt failed with; C{""} if it did not.
    @ivar receipt: what the receiver said last.
    @ivar delivered_at: when it took something last, in seconds since the epoch; 0 for never.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        name: str,
        sink: IEventSink,
        policy: SinkPolicy,
        letters: DeadLetters | None,
        run: RunInThread,
    ) -> None:
        self._clock = clock
        self.name = name
        self._sink = sink
        self._policy = policy
        self._letters = letters
        self._run = run
        self._handled = 0
        self._attempts = 0
        self._trying: Deferred[Receipt | None] | None = None
        self.dead = 0
        self.lost = 0
        self.batches = 0
        self.error = ""
        self.receipt: Receipt | None = None
        self.delivered_at = 0.0

    def write(self, batch: Sequence[Event]) -> Deferred[None]:
        """See L{llmproxy.sinks.delivery.DeliverySink}: the first of C{batch} may have been taken before."""
        return Deferred.fromCoroutine(self._write(batch))

    def close(self) -> Deferred[None]:
        """Give up what is under way, and close the sink."""
        trying, self._trying = self._trying, None
        if trying is not None:
            trying.cancel()
        return maybeDeferred(self._sink.close)

    async def _write(self, batch: Sequence[Event]) -> None:
        most = len(batch)
        while self._handled < len(batch):
            part = batch[self._handled : self._handled + most]
            try:
                await self._deliver(part)
            except PermanentFailure as failure:
                most = await self._refused(part, failure)
            except Exception as failure:
                await self._failed(part, failure)
            else:
                self._taken(len(part))
                most = min(most * 2, len(batch))
        self._handled = 0

    async def _deliver(self, part: Sequence[Event]) -> None:
        trying: Deferred[Receipt | None] = maybeDeferred(self._sink.deliver, part)
        self._trying = trying
        trying.addTimeout(self._policy.timeout, self._clock)
        try:
            self.receipt = await trying
        except DeferredTimeout:
            raise PassingFailure(f"no answer within {self._policy.timeout:g} s") from None
        finally:
            self._trying = None

    def _taken(self, count: int) -> None:
        self._handled += count
        self._attempts = 0
        self.batches += 1
        self.error = ""
        self.delivered_at = self._clock.seconds()

    async def _refused(self, part: Sequence[Event], failure: PermanentFailure) -> int:
        """The receiver never takes this: how many are tried next."""
        self._noted(failure)
        refused = part[failure.delivered :]
        self._handled += min(failure.delivered, len(part))
        if len(refused) > 1:
            return len(refused) // 2
        if refused:
            await self._bury(refused, str(failure))
        return 1

    async def _failed(self, part: Sequence[Event], failure: Exception) -> None:
        """It may be taken later, unless it was tried as often as it is to be."""
        self._noted(failure)
        taken = min(getattr(failure, "delivered", 0), len(part)) if isinstance(failure, DeliveryFailure) else 0
        self._handled += taken
        self._attempts = 1 if taken else self._attempts + 1
        if isinstance(failure, CancelledError) or not self._policy.attempts or self._attempts < self._policy.attempts:
            raise failure
        await self._bury(part[taken:], f"given up after {self._attempts} attempts: {failure}")

    async def _bury(self, events: Sequence[Event], why: str) -> None:
        if self._letters is None:
            self._buried(len(events))
            self.lost += len(events)
            return
        now = letter_time(self._clock.seconds())
        try:
            await self._run(self._letters.append, [encode(each) for each in events], why, now)
        except OSError as error:
            self._buried(len(events))
            self.lost += len(events)
            self._log.error("sink {name}: dead letters cannot be written: {why}", name=self.name, why=str(error))
        else:
            self._buried(len(events))
            self.dead += len(events)

    def _buried(self, count: int) -> None:
        self._attempts = 0
        self._handled += count

    def _noted(self, failure: Exception) -> None:
        self.error = str(failure) or type(failure).__name__
        receipt = getattr(failure, "receipt", None)
        if isinstance(receipt, Receipt):
            self.receipt = receipt
