"""Tests for L{llmproxy.bench.stats}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.stats import (
    added,
    at_percentile,
    curve,
    errors_of,
    kib_per_stream,
    load_figures,
    memory,
    ratio,
    spread,
    stream_figures,
)
from llmproxy.bench.values import Result

MS = 1_000_000
MIB = 1 << 20


def result(milliseconds: int, count: int = 10, **what: object) -> Result:
    made = Result(seconds=2.0)
    for _ in range(count):
        made.latency.record(milliseconds * MS)
        made.delay.record(milliseconds * MS)
    for name, value in what.items():
        setattr(made, name, value)
    return made


class FigureTests(SynchronousTestCase):
    def test_spread(self) -> None:
        """The rounds' middle with their ends."""
        made = spread([5.0, 1.0, 9.0])
        self.assertEqual((made.median, made.low, made.high), (5.0, 1.0, 9.0))

    def test_curve(self) -> None:
        """Percentiles in milliseconds, and the worst of all exactly."""
        made = curve(result(3).latency)
        self.assertEqual((made["50"], made["100"]), (3.0, 3.0))

    def test_errors(self) -> None:
        """Errors of all rounds add up by kind."""
        rounds = [result(1, errors={"closed": 1}), result(1, errors={"closed": 2, "early": 1})]
        self.assertEqual(errors_of(rounds), {"closed": 3, "early": 1})

    def test_load(self) -> None:
        """Requests a second, and the processor time of one where the gateway's processes are known."""
        rounds = [result(1, cpu=0.01), result(1, cpu=0.02)]
        figures = load_figures(rounds, True)
        self.assertEqual(figures["requests_per_second"]["median"], 5.0)
        self.assertEqual(figures["cpu_us_per_request"], {"median": 1500.0, "low": 1000.0, "high": 2000.0})
        self.assertNotIn("cpu_us_per_request", load_figures(rounds, False))

    def test_streams(self) -> None:
        """Events a second, the processor time of one, and what was lost."""
        figures = stream_figures([result(1, events=40, held=8, lost=3, memory=(0, 8192 * 8, 0), cpu=0.004)], True)
        self.assertEqual(figures["events_per_second"]["median"], 20.0)
        self.assertEqual(figures["events_lost"], 3)
        self.assertEqual(figures["cpu_us_per_event"]["median"], 100.0)

    def test_memory(self) -> None:
        """Idle is before all rounds, after is after them."""
        rounds = [result(1, memory=(1 * MIB, 5 * MIB, 4 * MIB)), result(1, memory=(4 * MIB, 7 * MIB, 3 * MIB))]
        self.assertEqual(memory(rounds), {"idle": 1.0, "loaded": 7.0, "after": 3.0})


class ComparisonTests(SynchronousTestCase):
    def test_added(self) -> None:
        """It is taken round by round: a slow minute that both had falls out."""
        direct, proxied = [result(1), result(100)], [result(3), result(102)]
        self.assertLess(abs(added(direct, proxied, at_percentile(99))["median"] - 2.0), 1.0)

    def test_interrupted(self) -> None:
        """A round with one side only does not count, and a run without any has figures all the same."""
        self.assertEqual(added([result(1), result(1)], [result(4)], at_percentile(50))["high"], 3.0)
        self.assertEqual(added([], [], at_percentile(50))["median"], 0.0)

    def test_ratio(self) -> None:
        """How many times as much one carried."""
        self.assertEqual(ratio([result(1, 30)], [result(1, 10)])["median"], 3.0)
        self.assertEqual(ratio([result(1)], [Result()])["median"], 0.0)

    def test_nothing_answered(self) -> None:
        """A target that answered nothing has zeros, not an exception."""
        self.assertEqual(load_figures([Result()], True)["cpu_us_per_request"]["median"], 0.0)
        self.assertEqual(stream_figures([Result()], True)["cpu_us_per_event"]["median"], 0.0)
        self.assertEqual(kib_per_stream(Result()), 0.0)

    def test_one_stream(self) -> None:
        """What the process has more while it holds the streams, shared by them."""
        self.assertEqual(kib_per_stream(result(1, held=8, memory=(MIB, MIB + 8192 * 8, MIB))), 8.0)
