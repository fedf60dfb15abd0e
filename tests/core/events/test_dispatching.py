"""What the numbers of a dispatcher say of it."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.dispatching import DispatchReport, health, not_ready

from ...tables import row

BUSY = DispatchReport(
    "log",
    "file",
    received=10,
    delivered=6,
    dead=1,
    passed_over=1,
    held=2,
    pending=5,
    length=100,
    claimed=3,
    gone=4,
    failures=7,
    batches=2,
    read_at=1_796_000_000.0,
    delivered_at=1_796_000_001.0,
)
NOW = 1_796_000_010.0


def found(*reports: DispatchReport, now: float = NOW) -> dict[str, Any]:
    return health(reports, 1.23456, NOW - 100, now)


class HealthTests(SynchronousTestCase):
    def test_names(self) -> None:
        """The reference's names, with sums of all sinks, and each sink by itself."""
        other = DispatchReport("hook", "http", received=3, delivered=3, pending=0, length=90)
        self.assertEqual(
            found(BUSY, other),
            {
                "healthy": True,
                "status": "healthy",
                "message": "ok",
                "events_processed": 11,
                "events_dropped": 1,
                "events_sent": 9,
                "processing_rate": 1.235,
                "lag_count": 5,
                "stream_length": 100,
                "last_processed_at": "2026-11-30T00:53:20+00:00",
                "sinks": [
                    {
                        "name": "log",
                        "type": "file",
                        "received": 10,
                        "delivered": 6,
                        "dead_letters": 1,
                        "not_wanted": 1,
                        "held": 2,
                        "pending": 5,
                        "claimed": 3,
                        "trimmed": 4,
                        "failures": 7,
                        "error": "",
                    },
                    {
                        "name": "hook",
                        "type": "http",
                        "received": 3,
                        "delivered": 3,
                        "dead_letters": 0,
                        "not_wanted": 0,
                        "held": 0,
                        "pending": 0,
                        "claimed": 0,
                        "trimmed": 0,
                        "failures": 0,
                        "error": "",
                    },
                ],
            },
        )

    def test_unhealthy(self) -> None:
        """Too much waits, nothing moves, or nothing can be read."""
        for report, now, message in (
            (evolve(BUSY, pending=10_000), NOW, "ok"),
            (evolve(BUSY, pending=10_001), NOW, "log: 10001 events wait, more than 10000"),
            (BUSY, NOW + 280, "ok"),
            (BUSY, NOW + 300, "log: nothing was processed for 309 s, while 5 events wait"),
            (evolve(BUSY, pending=0), NOW + 9999, "ok"),
            (evolve(BUSY, pending=None), NOW + 9999, "ok"),
            (evolve(BUSY, source_error="no Redis"), NOW, "log: cannot read: no Redis"),
            (DispatchReport("log", pending=1), NOW, "ok"),
            (DispatchReport("log", pending=1), NOW + 201, "log: nothing was processed for 301 s, while 1 events wait"),
        ):
            with row(message, now):
                answer = found(report, now=now)
                self.assertEqual((answer["message"], answer["healthy"]), (message, message == "ok"))

    def test_nothing(self) -> None:
        """Before anything has happened there is no last time."""
        self.assertIsNone(found(DispatchReport("log"))["last_processed_at"])
        self.assertEqual(found()["status"], "healthy")

    def test_ready(self) -> None:
        """Ready is where events flow from the stream to the receiver."""
        for report, reasons in (
            (BUSY, []),
            (evolve(BUSY, source_error="x"), ["log: cannot read: x"]),
            (evolve(BUSY, sink_error="y"), ["log: cannot deliver: y"]),
            (evolve(BUSY, source_error="x", sink_error="y"), ["log: cannot read: x", "log: cannot deliver: y"]),
        ):
            with row(reasons):
                self.assertEqual(not_ready([report]), reasons)
