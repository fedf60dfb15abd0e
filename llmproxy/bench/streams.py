"""Many event streams held at once: when the first event comes, how late each is, whether all come."""

from __future__ import annotations

import re
import select
import time
from typing import Any

from .framing import Response
from .histogram import Histogram
from .load import SECOND, SWEEP, Load
from .slots import Slot

STAMP = re.compile(rb'"sent_ns":"(\d{20})"')
"""When the upstream made an event: C{CLOCK_MONOTONIC}, which all processes of a machine share."""

PATIENCE = 0.5
"""Seconds to wait for anything to arrive before the time is looked at again."""

SETTLE = 0.3
"""Seconds from the end of all streams to reading what memory is left in use."""


class Streams(Load):
    """
    Each connection asks once and reads to the end of its stream; asks again if streams of any length are taken.

    The measured window opens when all are asked for; events before and after it are counted
    for completeness, but not in the figures.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._waiting: list[Slot] = []
        self._gap = self.spec.ramp * SECOND / self.spec.connections
        self._due = 0.0
        self._asked = 0
        self._events = 0
        self._now_open = 0
        self._held = 0
        self._ending = False
        self._first = Histogram()
        self.settle = SETTLE

    def begin(self, now: int) -> None:
        self._waiting = list(self._slots.live.values())[::-1]
        self._due = now + self.spec.phase * SECOND

    def until(self, end: int) -> None:
        now = self.clock()
        sweep = now + SWEEP
        while True:
            while self._waiting and self._due <= now:
                self._ask(self._waiting.pop(), now)
                self._due += self._gap
            self._wait(min(end, sweep))
            self._turn()
            now = self.clock()
            if now >= end:
                return
            if now >= sweep:
                sweep = now + SWEEP
                self._progress(self.result.events)

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
        wait = end - self.clock()
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
                self._arrived(slot, data, self.clock())

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
        # Only our own upstream stamps its events; of others every one counts, the last that says nothing too.
        count = len(stamps) if self.spec.events else text.count(b"\n\n", 0, end)
        if count and not slot.events:
            self._first.record(now - slot.started)
        slot.events += count
        self.result.events += count
        self._events += len(stamps)

    def _end(self, slot: Slot, error: str | None) -> None:
        if error is not None:
            self.result.fail(error)
        elif slot.events < max(1, self.spec.events):
            self.result.fail("short")
        self._now_open -= slot.response is not None
        self._slots.close(slot)
        if not self.spec.events and not self._ending:
            self._again()

    def _again(self) -> None:
        fresh = self._slots.open()
        if fresh is None:
            self.result.fail("connect")
        else:
            self._ask(fresh, self.clock())

    def finish(self, now: int) -> None:
        """Read all streams to the ends that are expected, without counting any more; then close them."""
        result = self.result
        result.held = self._held
        self._ending = True
        measured, events, result.delay = result.delay, result.events, Histogram()
        if self.spec.events:
            self._read_to_the_end()
        self._slots.close_all()
        result.delay, result.events, result.latency = measured, events, self._first
        result.lost = max(0, self._asked * self.spec.events - self._events)
        time.sleep(self.settle)

    def _read_to_the_end(self) -> None:
        end = self.clock() + int(self.spec.timeout * SECOND)
        while self._now_open and self.clock() < end:
            select.select((self._slots.poller,), (), (), PATIENCE)
            self._turn()
        if self._now_open:
            self.result.errors["unfinished"] = self._now_open
