"""The open loop: requests at a fixed rate, whatever becomes of the earlier ones."""

from __future__ import annotations

import select
from collections import deque
from typing import Any

from .load import SECOND, SWEEP, Load
from .slots import Slot

DRAIN = SECOND
"""How long an open loop waits in the end for what it has asked."""


class OpenLoop(Load):
    """
    Requests become due at a fixed rate whether or not earlier ones were answered, and their latency
    counts from that moment: a server that stalls cannot hide it by slowing the load down.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._idle: deque[Slot] = deque()
        self._gap = SECOND / self.spec.rate
        self._due = 0.0

    def begin(self, now: int) -> None:
        self._idle.extend(self._slots.live.values())
        self._due = now + self.spec.phase * SECOND

    def until(self, end: int) -> None:
        now = self.clock()
        sweep = now + SWEEP
        while True:
            self._ask_due(now, end)
            self._wait(min(end, sweep))
            self._turn()
            now = self.clock()
            if now >= end:
                return
            if now >= sweep:
                sweep = now + SWEEP
                self._idle.extend(self._sweep(now))

    def _ask_due(self, now: int, end: int) -> None:
        """@param end: what is due then, or later, is not of this window."""
        while self._due <= now and self._due < end and self._idle:
            slot = self._idle.popleft()
            if not slot.open or slot.started:
                continue
            slot.started = int(self._due)
            self.result.late.record(now - max(slot.started, slot.freed))
            self._slots.send(slot, self._request)
            self._due += self._gap
            now = self.clock()

    def _wait(self, end: int) -> None:
        """epoll counts in milliseconds, which is longer than a small request takes; select() does not."""
        if self._idle and self._due < end:
            end = int(self._due)
        wait = end - self.clock()
        if wait > 0:
            select.select((self._slots.poller,), (), (), wait / SECOND)

    def _turn(self) -> None:
        live, clock = self._slots.live, self.clock
        for fd, event in self._slots.poller.poll(0):
            slot: Slot | None = live.get(fd)
            if slot is None:
                continue
            data = self._read(slot, event)
            if data is None:
                continue
            now = clock()
            if data == self._known and slot.response is None and slot.started:
                self.result.latency.record(now - slot.started)
            else:
                slot = self._ended(slot, data, now)
                if slot is None:
                    continue
            slot.started = 0
            slot.freed = now
            self._idle.append(slot)

    def finish(self, now: int) -> None:
        """Wait a little for what was asked; what is still missing has waited at least so long."""
        end = now + DRAIN
        while self.clock() < end and (self._due < now or any(slot.started for slot in self._slots.live.values())):
            self._ask_due(now, now)
            select.select((self._slots.poller,), (), (), 0.01)
            self._turn()
        for slot in self._slots.live.values():
            if slot.started:
                self._unfinished(self.clock() - slot.started)
        while self._due < now:
            self._unfinished(now - int(self._due))
            self._due += self._gap

    def _unfinished(self, waited: int) -> None:
        self.result.unfinished += 1
        self.result.latency.record(waited)
