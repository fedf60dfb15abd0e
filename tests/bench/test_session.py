"""Tests for L{llmproxy.bench.session}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.comparison import Rounds
from llmproxy.bench.processes import LoadFailed
from llmproxy.bench.session import KINDS, Plan, Session
from llmproxy.bench.values import Result, Target

from ..tables import row

TARGETS = (Target("direct", "http://d"), Target("gateway", "http://g"))


class Comparison:
    """
    Finds what it is told to find.

    @ivar did: what was run, with what.
    """

    targets = TARGETS

    def __init__(self, per_second: int = 1000, how: str = "paced", most: float = 400.0) -> None:
        self.did: list[Any] = []
        self._per_second, self._how, self._most = per_second, how, most

    def closed(self, rounds: Rounds) -> None:
        self.did.append("closed")
        for target in self.targets:
            result = Result(seconds=1.0)
            for _ in range(self._per_second):
                result.latency.record(1)
            rounds[target.name] = [result]

    def reach(self, target: Target) -> float:
        self.did.append(("reach", target.name))
        return float(self._per_second)

    def open(self, rounds: Rounds, rate: float) -> None:
        self.did.append(("open", rate))

    def bounds(self, found: dict[float, float], target: Target, milliseconds: Sequence[float], ceiling: float) -> None:
        self.did.append(("bounds", target.name, ceiling))
        found.update(dict.fromkeys(milliseconds, ceiling))

    def streaming(self) -> str:
        return self._how

    def kib_per_stream(self, target: Target) -> float:
        self.did.append(("kib", target.name))
        return 9.0

    def most_events(self, target: Target, first: float = 0.0) -> float:
        self.did.append(("most", target.name, first))
        return self._most

    def offered(self, events: float) -> float:
        return events + 1

    def streams(self, rounds: Rounds, events: float) -> None:
        self.did.append(("streams", events))


class SessionTests(SynchronousTestCase):
    def run_with(self, comparison: Comparison, **plan: Any) -> Session:
        session = Session(comparison, Plan(**plan))  # type: ignore[arg-type]
        session.run()
        return session

    def test_all(self) -> None:
        """Rates that were not said are half of what was carried, of requests as of events."""
        comparison = Comparison()
        findings = self.run_with(comparison, bounds_ms=(5.0,)).findings
        self.assertEqual(comparison.did[:2], ["closed", ("open", 500.0)])
        self.assertIn(("bounds", "gateway", 1000.0), comparison.did)
        self.assertEqual(comparison.did[-1], ("streams", 201.0))
        self.assertEqual(findings.bounds, {"direct": {5.0: 1000.0}, "gateway": {5.0: 1000.0}})
        self.assertEqual(findings.most_events, {"direct": 400.0, "gateway": 400.0})
        self.assertTrue(findings.complete)

    def test_said(self) -> None:
        """Rates that were said are taken, and nothing is run to find others."""
        comparison = Comparison()
        self.run_with(comparison, kinds=("open", "streams"), rate=7.0, events=70.0)
        self.assertEqual(comparison.did, [("open", 7.0), ("streams", 71.0)])

    def test_one_kind(self) -> None:
        """What was not asked for is not run, but a short run in its place where its figure is needed."""
        comparison = Comparison()
        self.run_with(comparison, kinds=("open",))
        self.assertEqual(comparison.did, [("reach", "gateway"), ("open", 500.0)])

    def test_streams_of_others(self) -> None:
        """Who does not stream has none; who does so at his own pace is held at that, and the report says so."""
        comparison = Comparison(how="")
        findings = self.run_with(comparison, kinds=("streams",)).findings
        self.assertEqual((comparison.did, len(findings.notes)), ([], 1))
        comparison = Comparison(how="free")
        findings = self.run_with(comparison, kinds=("streams",)).findings
        self.assertEqual((comparison.did, len(findings.notes)), ([("streams", 0.0)], 1))

    def test_nothing_came(self) -> None:
        """A gateway that carries nothing ends it with words; it is not complete then."""
        for comparison, kind in ((Comparison(0), "open"), (Comparison(most=0.0), "streams")):
            session = Session(comparison, Plan((kind,)))  # type: ignore[arg-type]
            with row(comparison):
                failure = self.assertRaises(LoadFailed, session.run)
            self.assertIn("gateway", str(failure))
            self.assertFalse(session.findings.complete, comparison)

    def test_kinds(self) -> None:
        """What is carried is asked first: the others choose their rates by it."""
        self.assertEqual(KINDS[0], "closed")

    def test_memory_of_a_stream(self) -> None:
        """It is asked before any load that the process could keep memory of, where the process is known."""
        comparison = Comparison()
        comparison.targets = (TARGETS[0], Target("gateway", "http://g", pids=(1 << 30,)))  # type: ignore[misc]
        findings = self.run_with(comparison, kinds=("streams",)).findings
        self.assertEqual((comparison.did[0], findings.kib_per_stream), (("kib", "gateway"), 9.0))
