"""Many event streams held at once: when the first event comes, how late each is, whether all come."""

from __future__ import annotations

import re
import select
import time

from .framing import Response
from .histogram import Histogram
from .load import DRAIN, SECOND, SWEEP, Load, Progress, clock
from .slots import Slot
from .values import LoadSpec

STAMP = re.compile(rb'"sent_ns":"(\d{20})"')
"""When the upstream made an event: C{CLOCK_MONOTONIC}, which all processes of a machine share."""

SETTLE = 0.3
"""Seconds from the end of all streams to reading what memory is left in use."""


class Streams(Load):
    """
    Each connection asks once and reads to the end of its stream.

    The measured window opens when all are asked for; events before and after it are counted
    for completeness, but not in the figures.
    """

    def __init__(self, spec: LoadSpec, progress: Progress) -> None:
        super().__init__(spec, progress)
        self._waiting: list[Slot] = []
        self._gap = spec.ramp * SECOND / spec.connections
        self._due = 0.0
        self._asked = 0
        self._events = 0
        self._now_open = 0
        self._held = 0
        self._first = Histogram()

    def begin(self, now: int) -> None:
        self._waiting = list(self._slots.live.values())[::-1]
        self._due = now + self.spec.phase * SECOND

    def until(self, end: int) -> None:
        sweep = clock() + SWEEP
        while True:
            now = clock()
            if now >= end:
                return
            if now >= sweep:
                sweep = now + SWEEP
                self._progress(self.result.delay.count)
            while self._waiting and self._due <= now:
                self._ask(self._waiting.pop(), now)
                self._due += self._gap
            self._wait(min(end, sweep))
            self._turn()

    def _ask(self, slot: Slot, now: int) -> None:
        slot.started = now
        slot.response = Response()
        self._asked += 1
        self._now_open += 1
        self._held = max(self._held, self._now_open)
        self._slots.send(slot, self._request)

    def _wait(self, end: int) -> None:
        if self._waiting:
            end = min(end, int(self._due))
        wait = end - clock()
        if wait > 0:
            select.select((self._slots.poller,), (), (), wait / SECOND)

    def _turn(self) -> None:
        live = self._slots.live
        for fd, event in self._slots.poller.poll(0):
            slot = live.get(fd)
            if slot is None:
                continue
            data = self._read(slot, event)
            if data is not None:
                self._arrived(slot, data, clock())

    def _arrived(self, slot: Slot, data: bytes, now: int) -> None:
        response = slot.response
        if response is None:
            self._end(slot, "unasked")
        elif not data:
            self._end(slot, None if response.closed() else "closed")
        elif not self._fed(slot, response, data, now):
            self._end(slot, "malformed")
        elif response.head is not None and response.head.status != 200:
            self._end(slot, f"status {response.head.status}")
        elif response.complete:
            self._end(slot, None)

    def _fed(self, slot: Slot, response: Response, data: bytes, now: int) -> bool:
        try:
            content = response.feed(data)
        except ValueError:
            return False
        if content:
            self._content(slot, content, now)
        return True

    def _content(self, slot: Slot, content: bytes, now: int) -> None:
        """An event may come in pieces; its delay ends with the last of them."""
        text = slot.content + content
        end = text.rfind(b"\n\n") + 2
        if end < 2:
            slot.content = text
            return
        slot.content = text[end:]
        stamps = STAMP.findall(text, 0, end)
        record = self.result.delay.record
        for stamp in stamps:
            record(now - int(stamp))
        if stamps and not slot.freed:
            self._first.record(now - slot.started)
        slot.freed += len(stamps)
        self._events += len(stamps)

    def _end(self, slot: Slot, error: str | None) -> None:
        if error is not None:
            self.result.fail(error)
        elif slot.freed < self.spec.events:
            self.result.fail("short")
        self._now_open -= slot.response is not None
        self._slots.close(slot)

    def finish(self, now: int) -> None:
        """Read all streams to their ends, without counting delays any more; then let go of them."""
        result = self.result
        result.held = self._held
        measured, result.delay = result.delay, Histogram()
        end = clock() + int(self.spec.timeout * SECOND)
        while self._now_open and clock() < end:
            select.select((self._slots.poller,), (), (), DRAIN / SECOND)
            self._turn()
        if self._now_open:
            result.errors["unfinished"] = self._now_open
        self._slots.close_all()
        result.delay, result.latency = measured, self._first
        result.lost = max(0, self._asked * self.spec.events - self._events)
        time.sleep(SETTLE)
