"""
The queue of a sink: a filter, a bounded memory, a bounded disk where that is full or the receiver away, and delivery.

While the receiver takes what it gets, nothing touches the disk. Once an attempt has failed, or too many wait, what
comes goes to the spool, and what is there goes first from then on. At the end what is left in memory goes there too:
what a process that is killed loses is what waits in its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..core.events.encoding import decode, encode
from ..core.events.policy import PLAIN_SIZE, SinkPolicy
from ..core.events.when import When
from ..net.ratelimitedlog import RateLimitedLog
from .delivery import DeliveryQueue
from .eventdelivery import EventDelivery
from .heldbytes import HeldBytes

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from ..core.events import Event
    from ..interfaces.events import IEventSink
    from .deadletters import DeadLetters
    from .registry import RunInThread
    from .spool import Spool

SPOOLED_AFTER = 0.2
"""Seconds for which events gather before they are written to the spool, unless there are many."""

MOST_BUFFERED = 4 * 1024 * 1024
"""Bytes that wait for the thread that writes the spool; what comes beyond is lost."""

WRITTEN_AT = 256 * 1024

DISK_RESTS = 1.0
"""Seconds before a disk that could not be used is tried again."""

LOOKS_EVERY = 60.0
"""Seconds between two looks for what other processes have left that have ended."""


class EventQueue:
    """
    @param when: which events its sink wants.
    @param run: calls a function on a thread, one at a time.
    @param spool: C{None} for none: what does not fit into memory is lost.
    @ivar name: the sink's.
    @ivar delivery: what is known of its receiver.
    @ivar unspooled: events that were lost because neither memory nor disk had room.
    @ivar unreadable: lines of the spool that are no events.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        name: str,
        sink: IEventSink,
        policy: SinkPolicy,
        run: RunInThread,
        when: When | None = None,
        spool: Spool | None = None,
        letters: DeadLetters | None = None,
    ) -> None:
        self._clock = clock
        self.name = name
        self.when = When() if when is None else when
        self._all = self.when.wants_all_exchanges
        self._policy = policy
        self._run = run
        self._spool = spool
        self.delivery = EventDelivery(clock, name, sink, policy, letters, run)
        self._queue: DeliveryQueue[Event] = DeliveryQueue(
            clock,
            self.delivery,
            policy.delivery(),
            "a sink of events",
            left_over=self._left_over,
            progressed=self._progressed,
        )
        self._held = HeldBytes()
        self._seen_done = 0
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._soon: IDelayedCall | None = None
        self._looking: IDelayedCall | None = None
        self._later: IDelayedCall | None = None
        # Calls that wait for the disk: what is removed waits behind what is written.
        self._busy = 0
        self._diverting = False
        self._may_secure = False
        self._segment = ""
        self._segment_from = self._segment_until = 0
        self._stopping: Deferred[None] | None = None
        self._stopped = False
        self._complaints = RateLimitedLog(clock, self._log, "events")
        self.unspooled = 0
        self.unreadable = 0

    # -- numbers

    @property
    def waiting(self) -> int:
        """Events in memory."""
        return self._queue.waiting + len(self._buffer)

    @property
    def spooled(self) -> int:
        """Events on disk, without those that are in memory too."""
        return 0 if self._spool is None else max(0, self._spool.count - self._of_segment(self._queue.done))

    def _of_segment(self, done: int) -> int:
        """How many events in memory stand in a segment of the spool too, when so many have left."""
        return max(0, self._segment_until - max(self._segment_from, done)) if self._segment else 0

    @property
    def spooled_bytes(self) -> int:
        return 0 if self._spool is None else self._spool.size

    @property
    def delivered(self) -> int:
        """Events that the receiver has."""
        return self._queue.delivered - self.delivery.dead - self.delivery.lost

    @property
    def lost(self) -> int:
        """Events that it never gets, and that stand nowhere."""
        return self._queue.lost + self.delivery.lost + self.unspooled + self.unreadable

    @property
    def failures(self) -> int:
        """Attempts that failed."""
        return self._queue.failures

    @property
    def is_failing(self) -> bool:
        """The last attempt failed."""
        return self._queue.is_failing

    # -- its life

    def start(self) -> None:
        """Look for what other processes have left, now and then."""
        if self._spool is not None:
            self._looking = self._clock.callLater(LOOKS_EVERY, self.start)
            if not self._busy and not self._diverting:
                self._on_thread(self._spool.look, self._opened)

    def _opened(self, count: int) -> None:
        if count:
            self._diverting = True

    def take(self, events: Sequence[Event], sizes: Sequence[int] | None = None) -> None:
        """
        Take those of C{events} that are wanted; see L{llmproxy.interfaces.events.IEventBus}.

        @param sizes: of each, in bytes; C{None} if none has content.
        """
        if not self._all or any(event.kind != "exchange" for event in events):
            matches = self.when.matches
            chosen = [number for number, event in enumerate(events) if matches(event)]
            if len(chosen) < len(events):
                events = [events[number] for number in chosen]
                sizes = None if sizes is None else [sizes[number] for number in chosen]
        if not events:
            return
        if self._stopped:
            self._lose(len(events), "it has stopped")
        elif self._diverting or self._queue.is_failing or self._stopping or not self._has_room(len(events), sizes):
            self._divert(events, sizes)
        else:
            self._put(events, sizes)

    def flush(self) -> Deferred[None]:
        """Fires when what waits in memory is delivered, or could not be at once."""
        return self._queue.flush()

    def stop(self) -> Deferred[None]:
        """Deliver what is in memory within a few seconds, keep the rest on disk, close the sink. Once."""
        if self._stopping is None:
            self._stopping = Deferred()
            self._cancel()
            for call in (self._looking, self._later):
                if call is not None and call.active():
                    call.cancel()
            self._queue.stop().addCallback(lambda _: self._end())
        waiting: Deferred[None] = Deferred()
        if self._stopped:
            return succeed(None)
        self._stopping.addBoth(lambda _: waiting.callback(None))
        return waiting

    # -- memory

    def _has_room(self, count: int, sizes: Sequence[int] | None) -> bool:
        # One that is larger than the bound by itself goes when nothing else is there.
        fits = self._held.total + self._held.of(count, sizes) <= self._policy.queue_bytes
        fits = fits or (count == 1 and not self._queue.waiting)
        return self._queue.waiting + count <= self._policy.queue and fits

    def _room(self, count: int, sizes: Sequence[int] | None) -> int:
        """How many of the first of C{count} events fit into memory."""
        room = max(0, min(count, self._policy.queue - self._queue.waiting))
        return self._held.room(self._policy.queue_bytes, room, sizes)

    def _put(self, events: Sequence[Event], sizes: Sequence[int] | None) -> None:
        self._held.add(len(events), sizes)
        self._queue.put_all(events)

    def _progressed(self) -> None:
        self._may_secure = True
        self._account()
        if self._segment and self._queue.done >= self._segment_until and self._spool is not None:
            spool, name, self._segment = self._spool, self._segment, ""
            self._on_thread(lambda: spool.remove(name), lambda _: None)
        elif self._diverting or self._queue.is_failing:
            self._next()

    def _account(self) -> None:
        """What has left memory takes no room in it any more."""
        done, self._seen_done = self._queue.done - self._seen_done, self._queue.done
        self._held.left(done)

    def _secure(self, spool: Spool) -> None:
        """
        The receiver is away: what waits in memory goes to the disk, and comes from there as all else does, so that a
        process that is killed meanwhile loses nothing of it.
        """
        events = self._queue.peek_all()
        lines = [encode(event) for event in events]
        if not lines or spool.size + sum(map(len, lines)) + len(lines) > self._policy.spool:
            return
        # Once for each attempt that fails: a disk that takes nothing is not asked again and again.
        self._may_secure = False
        self._diverting = True
        self._queue.take_back()
        self._account()

        def back(count: int) -> None:
            self._put(events[:count], [PLAIN_SIZE + len(line) for line in lines[:count]])

        self._on_thread(lambda: spool.put_first(lines), back, lambda: back(len(events)))

    # -- disk

    def _divert(self, events: Sequence[Event], sizes: Sequence[int] | None) -> None:
        """To the disk, behind what is there."""
        if self._spool is None:
            room = self._room(len(events), sizes)
            self._put(events[:room], None if sizes is None else sizes[:room])
            self._lose(len(events) - room, "its queue is full")
            return
        self._diverting = True
        for number, event in enumerate(events):
            line = encode(event)
            if self._buffered + len(line) > MOST_BUFFERED:
                self._lose(len(events) - number, "the disk is too slow")
                break
            self._buffer.append(line)
            self._buffered += len(line)
        self._next()

    def _next(self) -> None:
        """What is to be done on the disk now, if anything is."""
        if self._busy or self._spool is None or self._stopping is not None:
            return
        if self._buffered >= WRITTEN_AT:
            self._write_buffer()
        elif self._buffer and self._soon is None:
            self._soon = self._clock.callLater(SPOOLED_AFTER, self._write_buffer)
        if self._busy or self._segment:
            return
        if self._queue.waiting:
            # What is in memory stands before what is on disk, and is there alone.
            if self._queue.is_failing and self._may_secure:
                self._secure(self._spool)
            elif not self._queue.is_failing and not self._queue.is_delivering:
                self._queue.flush()
        elif self._spool.count:
            self._on_thread(self._spool.first, self._read)
        elif not self._buffer and not self._queue.is_failing:
            self._diverting = False

    def _write_buffer(self) -> None:
        self._cancel()
        if self._busy or self._spool is None:
            return
        lines, self._buffer, self._buffered = self._buffer, [], 0
        back = partial(self._back_to_memory, lines)
        self._on_thread(partial(self._spool.append, lines), lambda lost: self._lose(lost, "its spool is full"), back)

    def _back_to_memory(self, lines: list[bytes]) -> None:
        """The disk cannot be written: what memory has room for waits there."""
        sizes = [PLAIN_SIZE + len(line) for line in lines]
        room = self._room(len(lines), sizes)
        self._put([decode(line) for line in lines[:room]], sizes[:room])
        self._lose(len(lines) - room, "the disk cannot be written, and its queue is full")

    def _read(self, found: tuple[str, list[bytes]] | None) -> None:
        if found is None or self._stopping is not None:
            return
        self._segment, lines = found
        events, sizes = [], []
        for line in lines:
            try:
                events.append(decode(line))
                sizes.append(PLAIN_SIZE + len(line))
            except ValueError:
                # The last line of a process that was killed.
                self.unreadable += 1
        self._segment_from = self._queue.taken
        self._segment_until = self._segment_from + len(events)
        if events:
            self._put(events, sizes)
            # They have waited long enough.
            self._queue.flush()
        else:
            self._progressed()

    def _on_thread(self, call: Any, then: Any, failed: Any = None) -> None:
        self._busy += 1
        running = self._run(call)

        def done(result: Any) -> None:
            self._busy -= 1
            then(result)
            self._next()

        def broken(reason: Any) -> None:
            self._busy -= 1
            self._complaints.say("spool", f"sink {self.name}: the spool cannot be used: {reason.getErrorMessage()}")
            if failed is not None:
                failed()
            if self._stopping is None and self._later is None:
                self._later = self._clock.callLater(DISK_RESTS, self._try_disk)

        running.addCallbacks(done, broken)
        running.addErrback(lambda reason: self._log.failure("a spool is broken", reason))

    def _try_disk(self) -> None:
        self._later = None
        self._next()

    def _lose(self, count: int, why: str) -> None:
        if count:
            self.unspooled += count
            self._complaints.say("lost", f"sink {self.name}: {why}; {self.lost} events were lost so far")

    def _cancel(self) -> None:
        soon, self._soon = self._soon, None
        if soon is not None and soon.active():
            soon.cancel()

    # -- the end

    def _left_over(self, events: list[Event]) -> Deferred[None]:
        """What is in memory goes before what is on disk; what came from there is there still."""
        first = self._queue.done - len(events)
        again, until = self._of_segment(first), max(0, self._segment_until - first)
        kept = events[: until - again] + events[until:]
        if not kept:
            return succeed(None)
        if self._spool is None:
            self._lose(len(kept), "it stopped")
            return succeed(None)
        lines = [encode(each) for each in kept]
        keeping = self._run(self._spool.put_first, lines)
        keeping.addCallbacks(
            lambda lost: self._lose(lost, "its spool is full"),
            lambda reason: self._lose(len(lines), f"the disk cannot be written ({reason.getErrorMessage()})"),
        )
        return keeping

    def _end(self) -> None:
        """What came meanwhile goes to the disk too, until nothing does any more."""
        spool, lines = self._spool, self._buffer
        self._buffer, self._buffered = [], 0
        if spool is None:
            self._ended()
            return
        ending = self._run(spool.append, lines) if lines else self._run(spool.close)
        ending.addCallbacks(
            lambda lost: self._lose(lost or 0, "its spool is full"),
            lambda reason: self._lose(len(lines), f"the disk cannot be written ({reason.getErrorMessage()})"),
        )
        ending.addBoth(lambda _: self._end() if lines or self._buffer else self._ended())

    def _ended(self) -> None:
        self._stopped = True
        assert self._stopping is not None
        self._stopping.callback(None)
