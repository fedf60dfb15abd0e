"""Delivery from a source to one sink: what that has, or its dead letters have, is acknowledged, and nothing before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger

from ..core.backoff import delay
from ..core.events.encoding import encode
from ..core.events.receipts import PassingFailure
from ..core.events.when import When
from ..net.ratelimitedlog import RateLimitedLog
from .deadletters import DeadLetters
from .delivery import DeliveryQueue
from .eventdelivery import EventDelivery

if TYPE_CHECKING:
    from ..core.events import Event
    from ..core.events.policy import SinkPolicy
    from ..core.events.sourced import Sourced
    from ..interfaces.events import IEventSink, IEventSource
    from .registry import RunInThread

MOST_DELIVERIES = 5
"""After so many deliveries that were not acknowledged an event is taken for what ends its consumers."""

MOST_WAIT = 2.0
"""Seconds between two attempts to read."""

_REFUSED = "its source had no event that can be read"


class SourceDelivery:
    """
    @param policy: of its C{queue_bytes}, a read may go beyond; its C{queue} and C{spool} are the source's.
    @param held: events that are in memory at once, at most.
    @param deliveries: see L{MOST_DELIVERIES}.
    @param reads: events of one read.
    @param letters: where poisoned events go; nothing is acknowledged that could not be written there.
    @ivar name: the sink's.
    @ivar delivery: what is known of its receiver.
    @ivar received: events that were read.
    @ivar passed_over: of those, the ones that the sink does not want.
    @ivar poisoned: of those, the ones that became dead letters without ever being tried.
    @ivar read_at: when something was read last, in seconds since the epoch; 0 for never.
    @ivar error: why nothing can be read now; C{""} if something can.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        name: str,
        source: IEventSource,
        sink: IEventSink,
        policy: SinkPolicy,
        run: RunInThread,
        letters: DeadLetters,
        when: When | None = None,
        held: int = 1000,
        deliveries: int = MOST_DELIVERIES,
        reads: int = 100,
    ) -> None:
        self._clock = clock
        self.name = name
        self.source = source
        self._when = When() if when is None else when
        self._policy = policy
        self._run = run
        self._letters = letters
        self._most = held
        self._deliveries = deliveries
        self._reads = reads
        self.delivery = EventDelivery(clock, name, sink, policy, _Insistent(letters), run)
        self._queue: DeliveryQueue[Event] = DeliveryQueue(
            clock,
            self.delivery,
            policy.delivery(),
            "a sink of events",
            left_over=lambda _: succeed(None),
            progressed=self._progressed,
        )
        self._ids: deque[str] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._seen_done = 0
        self._running: Deferred[None] | None = None
        self._stopping = False
        self._room: Deferred[None] | None = None
        self._complaints = RateLimitedLog(clock, self._log, "events")
        self.received = 0
        self.passed_over = 0
        self.poisoned = 0
        self.read_at = 0.0
        self.error = "not connected yet"

    @property
    def held(self) -> int:
        """Events that were read, and that the sink has not."""
        return len(self._ids)

    @property
    def delivered(self) -> int:
        """Events that the receiver has."""
        return self._queue.delivered - self.delivery.dead

    @property
    def dead(self) -> int:
        """Events that became dead letters."""
        return self.delivery.dead + self.poisoned

    @property
    def failures(self) -> int:
        """Attempts that failed."""
        return self._queue.failures

    @property
    def is_failing(self) -> bool:
        """The last attempt failed."""
        return self._queue.is_failing

    def start(self) -> None:
        """Read, and go on reading."""
        self._running = Deferred.fromCoroutine(self._read_on())

    def stop(self) -> Deferred[None]:
        """
        Read nothing more, deliver what was read within a few seconds, give the rest back to the source, close both. It
        never fails.
        """
        self._stopping = True
        running, self._running = self._running, None
        if running is not None:
            running.addErrback(lambda reason: None)
            running.cancel()
        return self._queue.stop().addCallback(lambda _: self.source.close())

    # -- reading

    async def _read_on(self) -> None:
        failures = 0
        while True:
            try:
                await self._read()
                failures, self.error = 0, ""
            except CancelledError:
                raise
            except Exception as error:
                if self._stopping:
                    # What is cancelled while it connects fails as it likes.
                    return
                failures += 1
                self.error = str(error)[:200] or type(error).__name__
                self._complaints.say(self.name, f"cannot go on: {self.error}")
                await self._pause(delay(failures, most=MOST_WAIT))

    async def _read(self) -> None:
        await self._wait_for_room()
        found: Any = await self.source.read(min(self._reads, self._most - len(self._ids)))
        if found:
            await self._take(found)

    async def _take(self, found: Sequence[Sourced]) -> None:
        self.received += len(found)
        self.read_at = self._clock.seconds()
        poisoned = [each for each in found if each.event is None or each.deliveries > self._deliveries]
        bad = {each.id for each in poisoned}
        wanted, done = [], []
        for each in found:
            if each.event is None or each.id in bad:
                continue
            if self._when.matches(each.event):
                wanted.append((each, each.event))
            else:
                self.passed_over += 1
                done.append(each.id)
        # Before anything is waited for: an id whose event is not in the queue would stand for another one.
        self._put(wanted)
        for each in poisoned:
            await self._bury(each)
            done.append(each.id)
        if done:
            await self.source.acknowledge(done)

    def _put(self, wanted: Sequence[tuple[Sourced, Event]]) -> None:
        for each, _ in wanted:
            self._ids.append(each.id)
            self._sizes.append(len(each.data))
            self._bytes += len(each.data)
        if wanted:
            self._queue.put_all([event for _, event in wanted])
        if any(each.deliveries > 1 for each, _ in wanted):
            # It has waited long enough, and may have to be delivered before anything else is read.
            self._queue.flush()

    async def _bury(self, each: Sourced) -> None:
        """Try until it is written: what is neither delivered nor written is not acknowledged."""
        why, data = _REFUSED, _shown(each.data)
        if each.event is not None:
            tries = each.deliveries - 1
            why = f"delivered {tries} times, and no consumer came back to say that it is done"
            data = encode(each.event)
        now, failures = _written(self._clock.seconds()), 0
        while True:
            try:
                await self._run(self._letters.append, [data], why, now)
                self.poisoned += 1
                return
            except CancelledError:
                raise
            except Exception as error:
                failures += 1
                self._complaints.say(self.name, f"dead letters cannot be written: {error}")
                await self._pause(delay(failures, most=MOST_WAIT))

    async def _wait_for_room(self) -> None:
        while not self._has_room:
            self._room = Deferred()
            try:
                await self._room
            finally:
                self._room = None

    def _pause(self, seconds: float) -> Deferred[None]:
        waiting: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._clock.callLater(seconds, waiting.callback, None)
        return waiting

    # -- delivered

    def _progressed(self) -> None:
        done, self._seen_done = self._queue.done - self._seen_done, self._queue.done
        ids = [self._ids.popleft() for _ in range(done)]
        self._bytes -= sum(self._sizes.popleft() for _ in range(done))
        if ids:
            self.source.acknowledge(ids)
        if self._room is not None and not self._room.called and self._has_room:
            self._room.callback(None)

    @property
    def _has_room(self) -> bool:
        return len(self._ids) < self._most and self._bytes < self._policy.queue_bytes


class _Insistent(DeadLetters):
    """Dead letters whose fault is a reason to try again: without them an event would be nowhere."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    def append(self, events: Sequence[bytes], why: str, now: str) -> None:
        try:
            self._letters.append(events, why, now)
        except OSError as error:
            raise PassingFailure(f"dead letters cannot be written: {error}") from None


def _shown(data: bytes) -> bytes:
    """What is no event, as JSON."""
    return msgspec.json.encode(data.decode("utf-8", "replace"))


def _written(seconds: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
