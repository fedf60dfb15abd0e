"""
The load itself: a lean loop over epoll, in a process of its own.

asyncio, or Twisted, would be the limit before the proxy is. One pass costs a C{recv}, a comparison,
a count and a C{send}; the tool's own limit is measured in every report.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Protocol

from .framing import Head, Malformed, Response
from .proc import cpu_seconds, resident
from .slots import AGAIN, Slot, Slots
from .values import LoadSpec, Result

SECOND = 1_000_000_000
SWEEP = SECOND // 10
"""How often timeouts are looked for, connections opened again, and progress reported."""

READ = 65536

Progress = Callable[[int], None]
"""Called with how many answers came so far in the measured window."""

Clock = Callable[[], int]
"""Nanoseconds."""


class Load:
    """
    What closed and open loops share: judging answers and replacing connections.

    @ivar result: counts of the current window.
    """

    def __init__(
        self, spec: LoadSpec, progress: Progress, slots: Slots | None = None, clock: Clock = time.monotonic_ns
    ) -> None:
        self.spec = spec
        self.clock = clock
        self.result = Result()
        self._progress = progress
        self._request = spec.request.encode("latin-1")
        self._body = None if spec.body is None else spec.body.encode("latin-1")
        self._timeout = int(spec.timeout * SECOND)
        self._slots = slots or Slots(spec)
        # The bytes of a response that was found right: the same again need no second look.
        self._known = b""

    def connect(self) -> None:
        """Open every connection; those that fail are errors, and tried again later."""
        for _ in range(self.spec.connections):
            if self._slots.open() is None:
                self.result.fail("connect")

    def close(self) -> None:
        self._slots.close_all()

    def _read(self, slot: Slot, event: int) -> bytes | None:
        """What arrived; C{None} if nothing did, empty at the end of the connection."""
        if event & select.EPOLLOUT:
            self._slots.flush(slot)
        try:
            return slot.recv(READ)
        except AGAIN:
            return None
        except OSError:
            return b""

    def _ended(self, slot: Slot, data: bytes, now: int) -> Slot | None:
        """Judge what is not simply the known answer. The connection for a next request, if this one ended."""
        if not data:
            return self._closed(slot, now)
        response = slot.response or Response()
        try:
            content = response.feed(data)
        except Malformed:
            return self._replace(slot, "malformed")
        if self._body is not None:
            slot.content += content
        if not response.complete:
            slot.response = response
            return None
        return self._judged(slot, response, data, now)

    def _closed(self, slot: Slot, now: int) -> Slot | None:
        if slot.response is not None and slot.response.closed():
            return self._judged(slot, slot.response, b"", now)
        if not slot.started:
            self.result.reconnects += 1
            return self._replace(slot)
        return self._replace(slot, "closed")

    def _judged(self, slot: Slot, response: Response, data: bytes, now: int) -> Slot | None:
        assert response.head is not None
        if not slot.started or response.rest or slot.unsent:
            return self._replace(slot, "early" if slot.unsent else "unasked")
        wrong = self._wrong(slot, response, response.head)
        if wrong is not None:
            self.result.fail(wrong)
        else:
            self.result.latency.record(now - slot.started)
            self.result.hits += response.head.hit
            # Hits are known by their heads, which must be read then.
            if slot.response is None and not self.spec.cache:
                self._known = data
        if response.head.close:
            self.result.reconnects += 1
            return self._replace(slot)
        slot.response = None
        slot.content = b""
        return slot

    def _wrong(self, slot: Slot, response: Response, head: Head) -> str | None:
        """What is wrong with a complete response."""
        if head.status != 200:
            return f"status {head.status}"
        if self.spec.length is not None and response.received != self.spec.length:
            return "length"
        if self._body is not None and slot.content != self._body:
            return "content"
        return None

    def _replace(self, slot: Slot, error: str | None = None) -> Slot | None:
        if error is not None:
            self.result.fail(error)
        self._slots.close(slot)
        fresh = self._slots.open()
        if fresh is None:
            self.result.fail("connect")
        return fresh

    def _sweep(self, now: int) -> list[Slot]:
        """Give up what waits too long; the fresh connections."""
        self._progress(self.result.latency.count)
        lost, self._slots.lost = self._slots.lost, 0
        fresh = [self._slots.open() for _ in range(lost)]
        overdue = [s for s in self._slots.live.values() if s.started and now - s.started > self._timeout]
        fresh += [self._replace(slot, "timeout") for slot in overdue]
        return [slot for slot in fresh if slot is not None]


class Loop(Protocol):
    """What L{measure} drives, once it is connected."""

    spec: LoadSpec
    result: Result
    clock: Clock

    def connect(self) -> None: ...
    def begin(self, now: int) -> None: ...
    def until(self, end: int) -> None: ...
    def finish(self, now: int) -> None: ...


def measure(loop: Loop, before: int) -> Result:
    """
    Warm up, then count for the length of the window.

    @param before: bytes that the watched processes held before the loop was connected.
    """
    spec, clock = loop.spec, loop.clock
    start = clock()
    loop.begin(start)
    if spec.warmup:
        loop.until(start + int(spec.warmup * SECOND))
    refused = loop.result.errors
    loop.result = Result()
    loaded, cpu, own, opened = resident(spec.pids), cpu_seconds(spec.pids), time.process_time(), clock()
    loop.until(opened + int(spec.duration * SECOND))
    closed = clock()
    result = loop.result
    result.seconds = (closed - opened) / SECOND
    result.tool_cpu = time.process_time() - own
    result.cpu = cpu_seconds(spec.pids) - cpu
    loaded = max(loaded, resident(spec.pids))
    loop.finish(closed)
    for kind, count in refused.items():
        result.errors[f"{kind} (warming up)"] = count
    result.memory = (before, loaded, resident(spec.pids))
    return result
