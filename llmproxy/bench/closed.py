"""The closed loops: the next request when the answer has come; what can be carried, or a stated number of requests."""

from __future__ import annotations

from typing import Any

from .load import SECOND, SWEEP, Load
from .slots import AGAIN, Slot


class ClosedLoop(Load):
    """Each connection sends its next request when its answer has come: what can be carried."""

    def begin(self, now: int) -> None:
        for slot in list(self._slots.live.values()):
            self._ask(slot, now)

    def _ask(self, slot: Slot, now: int) -> None:
        slot.started = now
        self._slots.send(slot, self._request)

    def until(self, end: int) -> None:
        sweep = self.clock() + SWEEP
        while True:
            self._turn()
            now = self.clock()
            if now >= end:
                return
            if now >= sweep:
                sweep = now + SWEEP
                for slot in self._sweep(now):
                    self._ask(slot, now)

    def _turn(self) -> None:
        """Written out: this is the path whose cost bounds what can be measured."""
        live = self._slots.live
        request = self._request
        size = len(request)
        record = self.result.latency.record
        clock = self.clock
        for fd, event in self._slots.poller.poll(0.05):
            slot: Slot | None = live.get(fd)
            if slot is None:
                continue
            data = self._read(slot, event)
            if data is None:
                continue
            now = clock()
            if data == self._known and slot.response is None and not slot.unsent:
                record(now - slot.started)
            else:
                slot = self._ended(slot, data, now)
                if slot is None:
                    continue
            slot.started = now
            try:
                sent = slot.send(request)
            except AGAIN:
                sent = 0
            except OSError:
                continue
            if sent < size:
                self._slots.rest(slot, request[sent:])

    def finish(self, now: int) -> None:
        """Connections that are stuck at the end are errors; the others are simply not counted."""
        for slot in self._slots.live.values():
            if slot.started and now - slot.started > SECOND:
                self.result.fail("stuck")


class CountedLoop(Load):
    """
    A closed loop that asks a stated number of times and not once more: for tokens of limited use, and for
    upstreams that cost money. What fails is not asked again.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._left = self.spec.requests

    def begin(self, now: int) -> None:
        for slot in list(self._slots.live.values()):
            self._ask(slot)

    def _ask(self, slot: Slot) -> None:
        if not self._left:
            slot.started = 0
            return
        self._left -= 1
        slot.started = self.clock()
        self._slots.send(slot, self._request)

    def until(self, end: int) -> None:
        sweep = self.clock() + SWEEP
        while self._left or self._waiting():
            self._turn()
            now = self.clock()
            if now >= end:
                return
            if now >= sweep:
                sweep = now + SWEEP
                for slot in self._sweep(now):
                    self._ask(slot)

    def _waiting(self) -> bool:
        return any(slot.started for slot in self._slots.live.values())

    def _turn(self) -> None:
        for fd, event in self._slots.poller.poll(0.05):
            slot = self._slots.live.get(fd)
            data = None if slot is None else self._read(slot, event)
            if slot is None or data is None:
                continue
            free = self._ended(slot, data, self.clock())
            if free is not None:
                self._ask(free)

    def finish(self, now: int) -> None:
        """What has not been answered in time is an error."""
        unanswered = self._left + sum(bool(slot.started) for slot in self._slots.live.values())
        if unanswered:
            self.result.errors["unanswered"] = unanswered
