"""Tests for L{llmproxy.bench.search}."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.search import CLOSE_ENOUGH, Trial, failed, held, next_rate, next_step, trial_of

from ..properties import examples

BOUND = 10
NO_BOUND = 1 << 63


def search(limit: float, choose: Callable[[list[Trial]], float | None]) -> list[Trial]:
    """Trials of something that holds any rate up to C{limit}."""
    trials: list[Trial] = []
    while (rate := choose(trials)) is not None:
        assert len(trials) < 60, "it never ends"
        trials.append(Trial(rate, BOUND if rate <= limit else BOUND + 1, True))
    return trials


class HeldTests(SynchronousTestCase):
    def test_below_what_failed(self) -> None:
        """A rate that held by luck above one that did not is not believed."""
        trials = [Trial(100, 5, True), Trial(200, 50, True), Trial(300, 5, True)]
        self.assertEqual((held(trials, BOUND), failed(trials, BOUND)), (100, 200))

    def test_nothing(self) -> None:
        """Without a trial that held, the answer is none."""
        self.assertEqual((held([], BOUND), failed([], BOUND)), (0.0, float("inf")))

    def test_trial(self) -> None:
        """A rate holds only if it was kept up with, and nothing failed."""
        self.assertTrue(trial_of(100, 5, 98, 0).holds(BOUND))
        for trial in (trial_of(100, 5, 90, 0), trial_of(100, 5, 100, 1), trial_of(100, 11, 100, 0)):
            self.assertFalse(trial.holds(BOUND), trial)


class SearchTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(st.floats(200, 10_000))
    def test_rate(self, limit: float) -> None:
        """The rate that is found holds, and one that is a little higher does not."""
        trials = search(limit, lambda trials: next_rate(trials, BOUND, 10_000))
        found = held(trials, BOUND)
        self.assertLessEqual(found, limit)
        self.assertGreaterEqual(found * CLOSE_ENOUGH, limit / CLOSE_ENOUGH)

    def test_out_of_reach(self) -> None:
        """A bound that nothing keeps is given up soon."""
        trials = search(0, lambda trials: next_rate(trials, BOUND, 1000))
        self.assertLessEqual(len(trials), 8)
        self.assertEqual(held(trials, BOUND), 0)

    def test_ceiling(self) -> None:
        """What holds at the ceiling is not tried above it."""
        self.assertEqual([trial.rate for trial in search(5000, lambda trials: next_rate(trials, BOUND, 1000))], [1000])

    @settings(max_examples=examples(50), deadline=None)
    @given(st.floats(100, 1e6))
    def test_step(self, limit: float) -> None:
        """The most is found from above and from below."""
        trials = [
            Trial(trial.rate, 0, trial.p99 <= BOUND)
            for trial in search(limit, lambda t: next_step([Trial(x.rate, 0, x.p99 <= BOUND) for x in t], 2000))
        ]
        found = held(trials, NO_BOUND)
        self.assertLessEqual(found, limit)
        self.assertGreater(found * 1.11, limit)

    def test_step_gives_up(self) -> None:
        """Something that brings nothing is given up."""
        trials: list[Trial] = []
        while (rate := next_step(trials, 2000)) is not None:
            trials.append(Trial(rate, 0, False))
        self.assertLess(len(trials), 15)
