"""The audit log as lines on standard output, for those whose system collects them there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from zope.interface import implementer

from ..core.audit.chain import Chain
from ..interfaces import IAuditSink

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.audit.record import AuditRecord


@implementer(IAuditSink)
class AuditStream:
    """
    A chain of its own for each process: nobody can read on what another one has written.

    @param run: calls a function on a thread, one at a time: who reads a pipe may be slow.
    @param write: what C{os.write} does.
    """

    name = "stdout"

    def __init__(
        self,
        run: Callable[[Callable[[], Any]], Deferred[Any]],
        fd: int = 1,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self._run = run
        self._fd = fd
        self._system_write = write
        self._chain = Chain(uuid4().hex)
        self._unwritten = b""
        self._taken = 0

    def write(self, records: Sequence[AuditRecord]) -> Deferred[None]:
        return self._run(lambda: self._append(records))

    def close(self) -> Deferred[None]:
        """It is everybody's, and stays open."""
        return self._run(lambda: None)

    def _append(self, records: Sequence[AuditRecord]) -> None:
        links = self._chain.linked(records[self._taken :])
        if links:
            self._unwritten += b"".join(link.line() + b"\n" for link in links)
            self._chain.moved(links[-1])
        # After a failure the same come again, and a half of a line goes on where it was.
        self._taken = len(records)
        while self._unwritten:
            self._unwritten = self._unwritten[self._system_write(self._fd, self._unwritten) :]
        self._taken = 0
