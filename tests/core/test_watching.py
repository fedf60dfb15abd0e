"""Rates and a history, of what a proxy says every other second."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.watching import KEPT, WINDOW, Counters, Rates, Watched

from ..tables import row


def numbers(requests: int, **more: Any) -> dict[str, Any]:
    return {"requests": requests, "errors": 0, "cache_hits": 0, "tokens": 0, "cost": "0", **more}


class CountersTests(SynchronousTestCase):
    def test_rates(self) -> None:
        """What was counted, in the window: nothing is said before there is something to compare."""
        for samples, now, expected in (
            ([], 0.0, None),
            ([(0.0, 5)], 0.0, None),
            ([(0.0, 5)], 2.0, 0.0),
            ([(0.0, 5), (2.0, 25)], 2.0, 10.0),
            ([(0.0, 5), (2.0, 25)], 8.0, 2.5),
            ([(0.0, 5), (2.0, 25)], 2.0 + WINDOW + 1, 0.0),
            ([(0.0, 0), (5.0, 10), (10.0, 40), (12.0, 60)], 12.0, 6.0),
            ([(0.0, 500), (2.0, 3)], 2.0, None),
            ([(0.0, 500), (2.0, 3), (4.0, 13)], 4.0, 5.0),
        ):
            counters = Counters()
            for at, count in samples:
                counters.add(at, {"n": count})
            with row(samples, now):
                self.assertEqual(counters.rates(now).get("n"), expected)

    def test_bounded(self) -> None:
        """No more is kept than the window has."""
        counters = Counters()
        for second in range(1000):
            counters.add(float(second), {"n": second})
        self.assertLessEqual(len(counters.samples), WINDOW + 2)


class WatchedTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        watched = Watched()
        self.assertIsNone(watched.rates(0.0))
        watched.hear("numbers", numbers(10, cost="0.5"), 0.0)
        watched.hear("numbers", numbers(30, cost="0.75", tokens=100), 5.0)
        self.assertEqual(watched.rates(5.0), Rates(4.0, 0.0, 0.0, 20.0, 0.05))
        self.assertEqual(watched.numbers["requests"], 30)

    def test_exchanges(self) -> None:
        """How many stream, and how old they are by now."""
        watched = Watched()
        watched.hear("exchanges", {"total": 7, "exchanges": [{"age": 3.0, "streamed": True}, {"age": 1}]}, 100.0)
        self.assertEqual((watched.running, watched.streams), (7, 1))
        watched.hear("exchanges", {"total": 900, "streamed": 400, "exchanges": [{"age": 3.0}, {"age": 1}]}, 100.0)
        self.assertEqual((watched.running, watched.streams), (900, 400))
        self.assertEqual([age for age, _ in watched.ages(102.0)], [5.0, 3.0])

    def test_upstreams(self) -> None:
        """Each has its own rate; one that is gone is forgotten."""
        watched = Watched()
        one, other = {"api": "a", "upstream": "x", "requests": 4}, {"api": "a", "upstream": "y", "requests": 0}
        watched.hear("upstreams", [one, other], 0.0)
        watched.hear("upstreams", [{**one, "requests": 14}], 5.0)
        self.assertEqual(watched.rate_of(one, 5.0), 2.0)
        self.assertIsNone(watched.rate_of(other, 5.0))

    def test_nonsense(self) -> None:
        """What is no such event, or has other values than it should have, breaks nothing."""
        watched = Watched()
        for name, said in (
            ("numbers", None),
            ("numbers", {"requests": "x", "cost": None}),
            ("exchanges", []),
            ("exchanges", {"total": None, "exchanges": [1, {"age": "x"}]}),
            ("upstreams", {}),
            ("upstreams", ["x", {}]),
            ("tomorrow", 1),
        ):
            watched.hear(name, said, 1.0)
        self.assertEqual([age for age, _ in watched.ages(1.0)], [0.0])

    def test_history(self) -> None:
        """Tokens a second, a bounded number of them."""
        watched = Watched()
        watched.note_history(0.0)
        self.assertEqual(list(watched.history), [])
        for second in range(KEPT + 50):
            watched.hear("numbers", numbers(0, tokens=second * 10), float(second))
            watched.note_history(float(second))
        self.assertEqual((len(watched.history), watched.history[-1]), (KEPT, 10.0))
