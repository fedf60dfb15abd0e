"""Tests for L{llmproxy.sinks.failurelog}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.lograte import INTERVAL
from llmproxy.interfaces import IRecordSink
from llmproxy.message import Record
from llmproxy.sinks.failurelog import FailureLog

from .records import a_record


class FailureLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = FailureLog(self.clock.seconds, {"openai": "https://api.openai.com"})
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, object]) -> None:
        if event.get("log_namespace") == FailureLog.__module__ + ".FailureLog":
            self.assertIs(event["log_level"], LogLevel.error)
            self.lines.append(formatEvent(event))

    def refused(self, **changes: object) -> Record:
        return a_record(**{"cause": "refused", "status": 502, "ended": "upstream_failed", **changes})

    def test_interface(self) -> None:
        verifyObject(IRecordSink, self.sink)

    def test_line(self) -> None:
        """An operator reads which API, where it should be, what is wrong, and the request that met it first."""
        self.sink.record_batch([a_record(), self.refused()])
        self.assertEqual(
            self.lines,
            [
                "upstream openai (https://api.openai.com) cannot be reached: the connection was refused"
                " [refused; 1 since the last line; request r-1]"
            ],
        )

    def test_one_an_interval(self) -> None:
        """A thousand requests that meet the same are one line, and the next line says how many; others have theirs."""
        self.sink.record_batch([self.refused() for _ in range(1000)])
        self.sink.record_batch([self.refused(cause="name_not_found"), self.refused(api="other")])
        self.assertEqual(len(self.lines), 3)
        self.clock.advance(INTERVAL)
        self.sink.record_batch([self.refused()])
        self.assertIn("1000 since the last line", self.lines[3])
