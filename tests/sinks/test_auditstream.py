"""Tests for L{llmproxy.sinks.auditstream}."""

from __future__ import annotations

from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.audit.chain import linked_of_line
from llmproxy.core.audit.verify import Verifier
from llmproxy.interfaces import IAuditSink
from llmproxy.sinks.auditstream import AuditStream

from .auditing import record


class AuditStreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.written = b""
        self.room = 1_000_000
        self.stream = AuditStream(execute, 1, self.write)

    def write(self, fd: int, data: bytes) -> int:
        self.assertEqual(fd, 1)
        if not self.room:
            raise BlockingIOError
        taken = data[: min(self.room, 100)]
        self.room -= len(taken)
        self.written += taken
        return len(taken)

    def test_lines(self) -> None:
        """Each record is a line, in one chain that can be verified."""
        verifyObject(IAuditSink, self.stream)
        self.successResultOf(self.stream.write([record("a"), record("b")]))
        self.successResultOf(self.stream.write([record("c")]))
        self.successResultOf(self.stream.close())
        self.assertEqual(self.verified(), ["a", "b", "c"])

    def test_nobody_reads(self) -> None:
        """What could not be written goes on where it was, and nothing is written twice."""
        for room in range(0, 500, 30):
            self.setUp()
            self.room = room
            batch = [record("a"), record("b")]
            self.failureResultOf(self.stream.write(batch), BlockingIOError)
            self.room = 0
            self.failureResultOf(self.stream.write([*batch, record("c")]), BlockingIOError)
            self.room = 1_000_000
            self.successResultOf(self.stream.write([*batch, record("c")]))
            self.successResultOf(self.stream.write([record("d")]))
            self.assertEqual(self.verified(), ["a", "b", "c", "d"], room)

    def verified(self) -> list[str]:
        verifier = Verifier()
        for line in self.written.splitlines():
            verifier.line("stdout", line)
        self.assertEqual(verifier.finish().problems, [])
        return [linked_of_line(line).record.id for line in self.written.splitlines()]
