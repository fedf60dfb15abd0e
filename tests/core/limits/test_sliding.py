"""Tests of L{llmproxy.core.limits.sliding}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.sliding import WINDOW, SlidingSum


class SlidingSumTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        sum = SlidingSum()
        self.assertEqual(
            (sum.at(5.0), sum.empties_at(), sum.wait(1, 1, 5.0), sum.wait(2, 1, 5.0)), (0, None, 0.0, None)
        )

    def test_passes(self) -> None:
        """An amount counts to the end of the second that is a minute later."""
        sum = SlidingSum()
        sum.add(3, 100.5)
        self.assertEqual([sum.at(each) for each in (100.5, 160.9, 161.0)], [3, 3, 0])

    def test_wait(self) -> None:
        """It is as long as it takes until enough has passed, and not a moment longer."""
        sum = SlidingSum()
        sum.add(2, 100.0)
        sum.add(1, 110.0)
        self.assertEqual([sum.wait(each, 3, 120.0) for each in (0, 1, 2, 3, 4)], [0.0, 41.0, 41.0, 51.0, None])
        self.assertEqual((sum.wait(2, 3, 160.99), sum.wait(2, 3, 161.0)), (161 - 160.99, 0.0))

    def test_take_back(self) -> None:
        """It is as if nobody had asked."""
        sum = SlidingSum()
        sum.add(2, 100.0)
        for _ in range(2):
            sum.add(1, 101.0)
            sum.take_back(1)
        self.assertEqual((sum.total, sum.empties_at()), (2, 161.0))
        sum.add(1, 100.0)
        sum.take_back(1)
        self.assertEqual((sum.total, sum.empties_at()), (2, 161.0))

    def test_change(self) -> None:
        """It counts as long as if the amount had been known from the beginning."""
        sum = SlidingSum()
        sum.add(10, 100.0)
        sum.add(1, 101.0)
        sum.change(-7, 100.0, 130.0)
        self.assertEqual((sum.at(130.0), sum.at(161.0)), (4, 1))

    def test_change_of_what_has_passed(self) -> None:
        """Less of it is nothing any more, more of it counts now."""
        sum = SlidingSum()
        sum.add(10, 100.0)
        self.assertEqual(sum.at(200.0), 0)
        sum.change(-5, 100.0, 200.0)
        self.assertEqual(sum.at(200.0), 0)
        sum.change(5, 100.0, 200.0)
        self.assertEqual((sum.at(200.0), sum.at(260.0), sum.at(261.0)), (5, 5, 0))

    @given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 5)), max_size=60), st.integers(1, 12))
    def test_no_span_holds_more(self, asked: list[tuple[float, int]], limit: int) -> None:
        """Whoever asks whenever: no span of a minute holds more than the limit, and who waits is let in."""
        sums, now = SlidingSum(), 1000.0
        admitted: list[tuple[float, int]] = []
        for pause, amount in asked:
            now += pause
            wait = sums.wait(amount, limit, now)
            if wait == 0:
                sums.add(amount, now)
                admitted.append((now, amount))
            elif wait is None:
                self.assertGreater(amount, limit, now)
            else:
                self.assertLessEqual(wait, WINDOW + 1, now)
        for begin, _ in admitted:
            within = sum(amount for at, amount in admitted if begin <= at < begin + WINDOW)
            self.assertLessEqual(within, limit, begin)

    @given(st.lists(st.tuples(st.floats(0, 40), st.integers(-9, 9), st.integers(0, 5)), max_size=40))
    def test_like_a_list(self, steps: list[tuple[float, int, int]]) -> None:
        """It is what adding up by hand gives, however amounts come and change."""
        sums, by_hand, now = SlidingSum(), [], 1000.0
        for pause, amount, which in steps:
            now += pause
            by_hand = [each for each in by_hand if int(now) <= each[0] + WINDOW]
            if amount > 0 or which >= len(by_hand):
                sums.add(abs(amount), now)
                by_hand.append([int(now), abs(amount)])
            else:
                # As much of one as there is of it.
                less = max(amount, -by_hand[which][1])
                sums.change(less, float(by_hand[which][0]), now)
                by_hand[which][1] += less
            total = sum(each for _, each in by_hand)
            taken = [sums.take(5, limit, now) for limit in (total + 4, total + 5)]
            self.assertEqual((taken, sums.at(now)), ([False, True], total + 5), now)
            sums.take_back(5)
