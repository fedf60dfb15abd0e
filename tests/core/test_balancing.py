"""Tests for L{llmproxy.core.balancing}."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import Balance
from llmproxy.core.balancing import (
    Candidate,
    Standing,
    choose,
    cost,
    grown,
    in_panic,
    least_in_flight,
    level,
    peak_ewma,
    rendezvous,
    weighted,
)
from tests.tables import row

from ..properties import examples

A, B, C = (Candidate(name) for name in "abc")


def drawing(*numbers: float) -> Iterator[float]:
    return iter(numbers)


class LevelTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The smallest priority of which one is well; rests before open circuits; nobody who is drained."""
        well: Standing = "well"
        table: tuple[tuple[list[tuple[str, int, Standing]], float, str], ...] = (
            ([], 0, ""),
            ([("a", 1, well), ("b", 1, well), ("c", 2, well)], 0, "ab"),
            ([("c", 2, well), ("a", 1, well)], 0, "a"),
            ([("a", 1, "open"), ("b", 1, well), ("c", 2, well)], 0, "b"),
            ([("a", 1, "open"), ("b", 1, "resting"), ("c", 2, well)], 0, "c"),
            ([("a", 1, "open"), ("b", 3, "resting"), ("c", 2, "resting")], 0, "c"),
            ([("a", 1, "open"), ("b", 1, "open"), ("c", 2, "open")], 0, "ab"),
            ([("a", 1, "drained"), ("b", 2, "open")], 0, "b"),
            ([("a", 1, "drained"), ("b", 2, "drained")], 0, ""),
            # Panic: below the threshold, and nobody else to take over.
            ([("a", 1, well), ("b", 1, "open"), ("c", 1, "open")], 0.5, "abc"),
            ([("a", 1, well), ("b", 1, "open")], 0.5, "a"),
            ([("a", 1, well), ("b", 1, "open"), ("c", 1, "drained")], 0.5, "a"),
            ([("a", 1, "open"), ("b", 1, "open"), ("c", 2, well)], 0.5, "c"),
            ([("a", 1, "open"), ("b", 1, "resting")], 0.1, "ab"),
            ([("a", 1, "drained")], 0.5, ""),
        )
        for candidates, threshold, expected in table:
            with row(candidates, threshold):
                made = [Candidate(name, 1.0, priority, standing) for name, priority, standing in candidates]
                self.assertEqual("".join(each.name for each in level(made, threshold)), expected)

    def test_panic(self) -> None:
        """An open circuit is asked only where too few are well."""
        self.assertTrue(in_panic(evolve(A, standing="open"), 0.5))
        self.assertFalse(in_panic(evolve(A, standing="open"), 0.0))
        self.assertFalse(in_panic(A, 0.5))


class ChoiceTests(SynchronousTestCase):
    def test_weighted(self) -> None:
        """Each has the part of the numbers that its weight says."""
        three = [evolve(A, weight=3.0), B]
        for number, expected in ((0.0, "a"), (0.74, "a"), (0.76, "b"), (0.9999999, "b")):
            with row(number):
                self.assertEqual(weighted(three, drawing(number).__next__).name, expected)

    def test_least_in_flight(self) -> None:
        """The fewest running requests for the weight; equal ones are drawn."""
        for running, weights, number, expected in (
            ((0, 0), (1, 1), 0.6, "b"),
            ((1, 0), (1, 1), 0.0, "b"),
            ((1, 0), (3, 1), 0.0, "a"),
            ((2, 0), (3, 1), 0.8, "b"),
        ):
            with row(running, weights):
                pair = zip((A, B), running, weights, strict=True)
                made = [evolve(each, in_flight=count, weight=float(weight)) for each, count, weight in pair]
                self.assertEqual(least_in_flight(made, drawing(number).__next__).name, expected)

    def test_peak_ewma(self) -> None:
        """Of the two that are drawn, the one that is expected to answer sooner."""
        a, b, c = (evolve(each, latency=at) for each, at in ((A, 1.0), (B, 2.0), (C, 0.1)))
        self.assertEqual(peak_ewma([a, b, c], drawing(0.0, 0.0).__next__).name, "a")
        self.assertEqual(peak_ewma([a, b, c], drawing(0.9, 0.9).__next__).name, "c")
        self.assertEqual(peak_ewma([evolve(a, in_flight=2), b], drawing(0.0, 0.0).__next__).name, "b")

    def test_cost(self) -> None:
        """What has not answered yet is asked once, and then only where all others are worse."""
        costs = [cost(each) for each in (A, evolve(A, latency=0.5), evolve(A, latency=0.5, in_flight=1))]
        self.assertEqual(costs, [0.0, 0.5, 1.0])
        self.assertGreater(cost(evolve(A, in_flight=1)), cost(evolve(A, latency=60.0, in_flight=100)))

    def test_none(self) -> None:
        """Nobody can be chosen where nobody may be asked."""
        self.assertIsNone(choose([], "weighted", drawing().__next__))
        self.assertIsNone(choose([evolve(A, standing="drained")], "peak_ewma", drawing().__next__))

    def test_by(self) -> None:
        """The word decides."""
        pair = [evolve(A, latency=1.0, in_flight=0), evolve(B, latency=0.1, in_flight=3)]
        for by, expected in (("weighted", "a"), ("least_in_flight", "a"), ("peak_ewma", "b")):
            with row(by):
                chosen = choose(pair, by, lambda: 0.0)  # type: ignore[arg-type]
                self.assertEqual(chosen and chosen.name, expected)

    @given(st.lists(st.integers(1, 20), min_size=2, max_size=5), st.integers(0, 2**32))
    @settings(max_examples=examples(30), deadline=None)
    def test_shares(self, weights: list[int], seed: int) -> None:
        """Shares come near to the weights, of those that are well and of nobody else."""
        made = [Candidate(str(number), float(weight)) for number, weight in enumerate(weights)]
        other = [Candidate("out", 50.0, standing="open"), Candidate("later", 50.0, 2)]
        random, count = Random(seed), 3000
        counts: Counter[str] = Counter()
        for _ in range(count):
            chosen = choose([*made, *other], "weighted", random.random)
            assert chosen is not None
            counts[chosen.name] += 1
        self.assertEqual(set(counts) - {each.name for each in made}, set())
        for each in made:
            expected = each.weight / sum(weights)
            # Five standard deviations of a binomial distribution.
            allowed = 5 * (expected * (1 - expected) / count) ** 0.5 + 1 / count
            self.assertLess(abs(counts[each.name] / count - expected), allowed, each)


class StickyTests(SynchronousTestCase):
    KEYS = [b"%d" % number for number in range(2000)]

    def places(self, candidates: list[Candidate], by: Balance = "weighted") -> dict[bytes, str]:
        found = {key: choose(candidates, by, lambda: 0.5, sticky=key) for key in self.KEYS}
        return {key: each.name for key, each in found.items() if each is not None}

    def test_same(self) -> None:
        """The same key goes to the same upstream, in whatever order they stand, and keys spread by weight."""
        made = [evolve(A, weight=2.0), B, C]
        places = self.places(made)
        self.assertEqual(places, self.places(made[::-1]))
        counts = Counter(places.values())
        self.assertTrue(all(abs(counts[name] / 2000 - part) < 0.05 for name, part in zip("abc", (0.5, 0.25, 0.25))))

    def test_one_goes(self) -> None:
        """Where one cannot be asked, only its keys move; when it is back, they come back."""
        before = self.places([A, B, C])
        after = self.places([A, evolve(B, standing="open"), C])
        self.assertTrue(all(after[key] == name for key, name in before.items() if name != "b"))
        self.assertEqual({after[key] for key, name in before.items() if name == "b"}, {"a", "c"})

    def test_rendezvous(self) -> None:
        """One by itself has all keys."""
        self.assertIs(rendezvous([A], b"x"), A)


class SlowStartTests(SynchronousTestCase):
    def test_grown(self) -> None:
        """A tenth at first, in proportion to the time then, the whole at the end."""
        for since, window, expected in (
            (0.0, 0.0, 4.0),
            (0.0, 10.0, 0.4),
            (1.0, 10.0, 0.4),
            (5.0, 10.0, 2.0),
            (10.0, 10.0, 4.0),
            (float("inf"), 10.0, 4.0),
        ):
            with row(since, window):
                self.assertAlmostEqual(grown(4.0, since, window), expected)
