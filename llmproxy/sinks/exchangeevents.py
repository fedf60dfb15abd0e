"""The events of exchanges: made of records, in batches, when these are published; contents on a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger
from zope.interface import implementer

from ..core.events import Content, Event, event_of_record
from ..core.events.policy import PLAIN_SIZE
from ..interfaces import IRecordSink
from ..net.ratelimitedlog import RateLimitedLog
from .eventbus import size_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

    from ..record import Record
    from .registry import RunInThread

MOST_CAPTURED = 64 * 1024 * 1024
"""Bytes of what was captured that wait for the thread; events beyond have no content, and say so."""


class Bus(Protocol):
    """What gets the events, as L{llmproxy.sinks.eventbus.EventBus} does."""

    def publish(self, events: Sequence[Event], sizes: Sequence[int] | None = None) -> None: ...


@implementer(IRecordSink)
class ExchangeEvents:
    """
    @param run: calls a function on a thread.
    @ivar without_content: events whose content was left out because too much waited, or could not be read.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, bus: Bus, run: RunInThread, most: int = MOST_CAPTURED) -> None:
        self._bus = bus
        self._run = run
        self._most = most
        self._waiting = 0
        self._complaints = RateLimitedLog(clock, self._log, "events")
        self.without_content = 0

    def record_batch(self, records: Sequence[Record]) -> None:
        captured = [record for record in records if record.captured is not None]
        plain = records if not captured else [record for record in records if record.captured is None]
        if captured:
            self._with_content(captured)
        if plain:
            self._bus.publish([event_of_record(record) for record in plain])

    def _with_content(self, records: list[Record]) -> None:
        taken, left, size = [], [], 0
        for record in records:
            assert record.captured is not None
            if self._waiting + size + record.captured.size > self._most:
                left.append(record)
            else:
                size += record.captured.size
                taken.append(record)
        if left:
            self.without_content += len(left)
            self._bus.publish([event_of_record(record, content=_OVERLOADED) for record in left])
        if not taken:
            return
        self._waiting += size
        making = self._run(_made, taken)
        making.addCallbacks(self._publish, self._failed, errbackArgs=(taken,))
        making.addBoth(lambda _: self._read(size))

    def _publish(self, made: tuple[list[Event], list[int], list[str]]) -> None:
        events, sizes, faults = made
        self.without_content += len(faults)
        for fault in faults:
            self._complaints.say("content", f"what was captured could not be read: {fault}")
        self._bus.publish(events, sizes)

    def _failed(self, reason: Failure, records: list[Record]) -> None:
        self.without_content += len(records)
        self._complaints.say("content", f"what was captured could not be read: {type(reason.value).__name__}")
        self._bus.publish([event_of_record(record, content=_UNREADABLE) for record in records])

    def _read(self, size: int) -> None:
        self._waiting -= size


_OVERLOADED = Content(request_omitted="overload", response_omitted="overload")
_UNREADABLE = Content(request_omitted="undecodable", response_omitted="undecodable")


def _size_of(content: Content) -> int:
    return size_of((content.request_body, content.response_body, content.request_headers, content.response_headers))


def _made(records: list[Record]) -> tuple[list[Event], list[int], list[str]]:
    """On a thread: the events, their sizes, and what went wrong."""
    events, sizes, faults = [], [], []
    for record in records:
        captured, record.captured = record.captured, None
        assert captured is not None
        try:
            content = captured.content()
            assert isinstance(content, Content)
        except Exception as error:
            # Its words may quote what somebody said.
            faults.append(type(error).__name__)
            content = _UNREADABLE
        events.append(event_of_record(record, content=content))
        sizes.append(PLAIN_SIZE + (captured.weight or _size_of(content)))
    return events, sizes, faults
