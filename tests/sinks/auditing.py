"""Sinks, disks and records for tests of the audit log."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from llmproxy.core.audit.record import AuditRecord
from llmproxy.core.audit.verify import Report, Verifier
from llmproxy.interfaces import IAuditSink
from llmproxy.sinks.audit import Notes
from llmproxy.sinks.auditfile import System


def notes(clock: Clock | None = None, secrets: Sequence[str] = ()) -> Notes:
    numbers = count(1)
    return Notes(clock or Clock(), secrets, lambda: f"id-{next(numbers)}")


def record(name: str = "x", **details: Any) -> AuditRecord:
    return AuditRecord(name, 1_000_000, "project.create", "carol", "success", details=details)


@implementer(IAuditSink)
class Sink:
    """
    Keeps records, or does what the test says.

    @ivar answer: C{None} keeps at once; an exception fails; C{"wait"} leaves a Deferred in C{pending}.
    """

    def __init__(self, name: str = "sink") -> None:
        self.name = name
        self.kept: list[AuditRecord] = []
        self.batches: list[list[AuditRecord]] = []
        self.answer: Any = None
        self.pending: list[Deferred[None]] = []
        self.closed = 0
        self.closing: Deferred[None] = succeed(None)

    def write(self, records: Sequence[AuditRecord]) -> Deferred[None]:
        assert not self.closed and not any(not each.called for each in self.pending)
        self.batches.append(list(records))
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        if self.answer == "wait":
            self.pending.append(Deferred())
            return self.pending[-1].addCallback(lambda _: self.kept.extend(records))
        self.kept += records
        return succeed(None)

    def close(self) -> Deferred[None]:
        self.closed += 1
        return self.closing

    @property
    def ids(self) -> list[str]:
        return [record.id for record in self.kept]


class Disk:
    """
    @ivar room: bytes that can still be written; C{None} is no limit.
    """

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.truncates = True
        self.syncs = True
        self.synced = 0

    def system(self) -> System:
        return System(self._write, self._truncate, self._sync)

    def _write(self, fd: int, data: bytes) -> int:
        if self.room is None:
            return os.write(fd, data)
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(fd, data[: self.room])
        self.room -= written
        return written

    def _truncate(self, fd: int, size: int) -> None:
        if not self.truncates:
            raise OSError(errno.EIO, "Input/output error")
        os.ftruncate(fd, size)

    def _sync(self, fd: int) -> None:
        if not self.syncs:
            raise OSError(errno.EIO, "Input/output error")
        self.synced += 1


def verified(*paths: str, anchors: Any = ()) -> Report:
    verifier = Verifier(anchors, may_begin_late=True)
    for path in paths:
        with open(path, "rb") as file:
            for number, line in enumerate(file.read().split(b"\n")[:-1], 1):
                verifier.line(f"{os.path.basename(path)}:{number}", line)
    return verifier.finish()
