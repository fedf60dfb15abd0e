"""
The load itself: a lean loop over epoll, in a process of its own.

asyncio, or Twisted, would be the limit before the proxy is. One pass costs a C{recv}, a comparison,
a count and a C{send}; the tool's own limit is measured in every report.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .framing import Malformed, Response
from .proc import cpu_seconds, resident
from .slots import AGAIN, Slot, Slots
from .values import LoadSpec, Result

clock = time.monotonic_ns

SECOND = 1_000_000_000
SWEEP = SECOND // 10
"""How often timeouts are looked for, connections opened again, and progress told."""

DRAIN = SECOND
"""How long an open loop waits in the end for what it has asked."""

READ = 65536

Progress = Callable[[int], None]
"""Told how many answers came so far in the measured window."""


class Load:
    """
    What closed and open loops share: judging answers and replacing connections.

    @ivar result: counts of the current window.
    """

    def __init__(self, spec: LoadSpec, progress: Progress) -> None:
        self.spec = spec
        self.result = Result()
        self._progress = progress
        self._request = spec.request.encode("latin-1")
        self._body = None if spec.body is None else spec.body.encode("latin-1")
        self._timeout = int(spec.timeout * SECOND)
        self._slots = Slots(spec)
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
        wrong = self._wrong(slot, response)
        if wrong is not None:
            return self._replace(slot, wrong)
        assert response.head is not None
        self.result.latency.record(now - slot.started)
        if response.head.close:
            self.result.reconnects += 1
            return self._replace(slot)
        if slot.response is None:
            self._known = data
        slot.response = None
        slot.content = b""
        return slot

    def _wrong(self, slot: Slot, response: Response) -> str | None:
        """What is wrong with a complete response."""
        assert response.head is not None
        if not slot.started or response.rest:
            return "unasked"
        if slot.unsent:
            return "early"
        if response.head.status != 200:
            return f"status {response.head.status}"
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


class ClosedLoop(Load):
    """Each connection sends its next request when its answer has come: what can be carried."""

    def begin(self, now: int) -> None:
        for slot in list(self._slots.live.values()):
            self._ask(slot, now)

    def _ask(self, slot: Slot, now: int) -> None:
        slot.started = now
        self._slots.send(slot, self._request)

    def until(self, end: int) -> None:
        sweep = clock() + SWEEP
        while True:
            self._turn()
            now = clock()
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


class OpenLoop(Load):
    """
    Requests become due at a fixed rate whether or not earlier ones were answered, and their latency
    counts from that moment: a server that stalls cannot hide it by slowing the load down.
    """

    def __init__(self, spec: LoadSpec, progress: Progress) -> None:
        super().__init__(spec, progress)
        self._idle: deque[Slot] = deque()
        self._gap = SECOND / spec.rate
        self._due = 0.0

    def begin(self, now: int) -> None:
        self._idle.extend(self._slots.live.values())
        self._due = now + self.spec.phase * SECOND

    def until(self, end: int) -> None:
        sweep = clock() + SWEEP
        while True:
            now = clock()
            if now >= end:
                return
            if now >= sweep:
                sweep = now + SWEEP
                self._idle.extend(self._sweep(now))
            self._ask_due(now)
            self._wait(min(end, sweep))
            self._turn()

    def _ask_due(self, now: int) -> None:
        while self._due <= now and self._idle:
            slot = self._idle.popleft()
            if not slot.open or slot.started:
                continue
            slot.started = int(self._due)
            self.result.late.record(now - max(slot.started, slot.freed))
            self._slots.send(slot, self._request)
            self._due += self._gap
            now = clock()

    def _wait(self, end: int) -> None:
        """epoll counts in milliseconds, which is longer than a small request takes; select() does not."""
        if self._idle and self._due < end:
            end = int(self._due)
        wait = end - clock()
        if wait > 0:
            select.select((self._slots.poller,), (), (), wait / SECOND)

    def _turn(self) -> None:
        live = self._slots.live
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
        while clock() < end and any(slot.started for slot in self._slots.live.values()):
            select.select((self._slots.poller,), (), (), 0.01)
            self._turn()
        for slot in self._slots.live.values():
            if slot.started:
                self._unfinished(clock() - slot.started)
        while self._due < now:
            self._unfinished(now - int(self._due))
            self._due += self._gap

    def _unfinished(self, waited: int) -> None:
        self.result.unfinished += 1
        self.result.latency.record(waited)


class Loop(Protocol):
    """What L{measure} drives, once it is connected."""

    spec: LoadSpec
    result: Result

    def connect(self) -> None: ...
    def begin(self, now: int) -> None: ...
    def until(self, end: int) -> None: ...
    def finish(self, now: int) -> None: ...


def measure(loop: Loop, before: int) -> Result:
    """
    Warm up, then count for the length of the window.

    @param before: bytes that the watched processes held before the loop was connected.
    """
    spec = loop.spec
    start = clock()
    loop.begin(start)
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
