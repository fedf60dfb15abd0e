"""Tests for L{llmproxy.bench.report}."""

from __future__ import annotations

import json

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.session import Findings

from . import reports
from .reports import reported, result


class ReportTests(SynchronousTestCase):
    def test_figures(self) -> None:
        """Everything that was measured is there, the gateway beside what is behind it."""
        made = reported()
        self.assertEqual(made["closed"]["targets"]["gateway"]["requests_per_second"]["median"], 100.0)
        self.assertEqual(made["closed"]["ratio"]["median"], 0.1)
        self.assertEqual(made["bounds"]["direct"], {"1": 500.0, "5": 900.0})
        self.assertEqual(made["streams"]["targets"]["gateway"]["events_lost"], 2)
        self.assertEqual(made["memory_mib"], {"idle": 50.0, "loaded": 60.0, "after": 52.0})

    def test_added(self) -> None:
        """What the gateway adds is the difference at the same rate, of requests, first events and events."""
        made = reported()
        self.assertLess(abs(made["open"]["added"]["p99_ms"]["median"] - 2.0), 0.1)
        for name in ("first_event_p50_ms", "first_event_p99_ms", "delay_p50_ms", "delay_p99_ms"):
            self.assertLess(abs(made["streams"]["added"][name]["median"] - 1.0), 0.1, name)

    def test_secrets(self) -> None:
        """No token, body or query is in it."""
        self.assertNotIn("s3cret", json.dumps(reported()))

    def test_nothing_yet(self) -> None:
        """Interrupted at once, it says so and is JSON all the same."""
        made = json.loads(
            json.dumps(
                reported(
                    **{name: {} for name in ("closed", "open", "bounds", "streams", "most_events")}, complete=False
                )
            )
        )
        self.assertIn("Interrupted: these are the figures so far.", made["notes"])
        self.assertNotIn("closed", made)

    def test_interrupted_in_the_first_round(self) -> None:
        """With one target measured only, there is that one and no difference."""
        made = reported(closed={"direct": [result(1, 10)]}, open={"direct": [result(1, 10)]}, complete=False)
        self.assertEqual(list(made["closed"]["targets"]), ["direct"])
        self.assertEqual(made["open"]["added"]["p50_ms"]["median"], 0.0)

    def test_the_tool(self) -> None:
        """What the tool alone reaches is said; a run that it may have limited is named."""
        made = reported()
        self.assertEqual(made["tool"]["closed_requests_per_second"], 1000.0)
        self.assertEqual(made["tool"]["limited"], [])
        self.assertIn("10.0 times what came through gateway", " ".join(made["notes"]))
        busy = {"direct": [result(1, 1000)], "gateway": [result(3, 900, tool_cpu=0.97)]}
        made = reported(closed=busy)
        self.assertEqual(made["tool"]["limited"], ["closed"])
        self.assertIn("--processes 2", " ".join(made["notes"]))

    def test_different_answers(self) -> None:
        """So is that two things were compared that do not do the same."""
        self.patch(reports.Compared, "same", False)
        self.assertIn("different answers", " ".join(reported()["notes"]))

    def test_cache(self) -> None:
        """Who asks for cached answers is told if there was none."""
        words = "No answer came from a cache"
        asking = evolve(reports.SETTINGS, cache=True)
        self.assertIn(words, " ".join(reported(asking)["notes"]))
        some = {"direct": [result(1, 10)], "gateway": [result(1, 10, hits=3)]}
        self.assertNotIn(words, " ".join(reported(asking, closed=some)["notes"]))
        self.assertNotIn(words, " ".join(reported()["notes"]))

    def test_nothing_came_through(self) -> None:
        """A gateway that answered nothing is no division by zero."""
        made = reported(closed={"direct": [result(1, 10)], "gateway": [result(1, 0, errors={"closed": 5})]})
        self.assertIn("Nothing came through gateway.", made["notes"])

    def test_without_findings(self) -> None:
        """Findings that are empty are no complete ones."""
        self.assertFalse(Findings().complete)
