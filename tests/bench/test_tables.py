"""Tests for L{llmproxy.bench.tables}."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.tables import tables

from .reports import reported, result


class TableTests(SynchronousTestCase):
    def shown(self, report: dict[str, Any]) -> str:
        console = Console(file=io.StringIO(), width=120)
        for table in tables(report):
            console.print(table)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    def row(self, text: str, title: str, name: str) -> list[str]:
        """The cells of the first row of that name below a title."""
        lines = text[text.index(title) :].splitlines()
        [line, *_] = [line for line in lines if line.startswith(f"│ {name} ")]
        return [cell.strip() for cell in line.strip("│").split("│")]

    def test_figures(self) -> None:
        """Each kind of run has a table with a row for each target, and one for what is added."""
        text = self.shown(reported())
        self.assertEqual(self.row(text, "closed loop: as many as 64", "gateway")[:3], ["gateway", "100", "3.00"])
        self.assertEqual(self.row(text, "open loop: 50 requests/s", "added")[:3], ["added", "", "2.00"])
        self.assertEqual(self.row(text, "requests/s while p99 stays", "gateway"), ["gateway", "0", "80"])
        self.assertEqual(self.row(text, "the most events/s", "direct"), ["direct", "4,000"])
        self.assertEqual(self.row(text, "streams: 1,000 events/s", "direct")[:3], ["direct", "0", "900"])
        self.assertIn("events/s offered, 9.5 KiB of the gateway's memory each", text)
        self.assertIn("│ 50.0 │   60.0 │  52.0 │", text)

    def test_errors(self) -> None:
        """Errors are told by their kind, beside the figures that they may explain."""
        failing = {"direct": [result(1, 5)], "gateway": [result(1, 5, errors={"status 429": 3}, unfinished=2)]}
        row = self.row(self.shown(reported(closed=failing)), "closed loop", "gateway")
        self.assertEqual(row[-1], "3 status 429, 2 unfinished")
        self.assertEqual(self.row(self.shown(reported()), "streams:", "gateway")[-1], "2 events lost")

    def test_hits(self) -> None:
        """Answers from a cache have a column where there were any."""
        some = {"direct": [result(1, 5)], "gateway": [result(1, 5, hits=3)]}
        self.assertIn("cache hits", self.shown(reported(closed=some)))
        self.assertNotIn("cache hits", self.shown(reported()))

    def test_what_is_there(self) -> None:
        """What was not run has no table."""
        nothing: dict[str, Any] = {name: {} for name in ("closed", "open", "bounds", "streams", "most_events")}
        text = self.shown(reported(**nothing))
        self.assertNotIn("loop", text)
        self.assertIn("memory", text)

    def test_counted(self) -> None:
        """A run of so many requests says how many."""
        report = reported()
        report["settings"]["requests"] = 100
        self.assertIn("100 requests over 64 connections", self.shown(report))
        report["streams"]["offered_events_per_second"] = 0.0
        self.assertIn("streams: at the pace of upstream", self.shown(report))
