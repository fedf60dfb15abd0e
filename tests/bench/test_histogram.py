"""Tests for L{llmproxy.bench.histogram}."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.histogram import Histogram, bucket_of, highest_in

from ..properties import examples

VALUES = st.lists(st.integers(min_value=0, max_value=2**62), min_size=1, max_size=60)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


class BucketTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(st.integers(min_value=0, max_value=2**63 - 1))
    def test_close(self, value: int) -> None:
        """A latency that is read back is off by less than one percent, and never too small."""
        read = highest_in(bucket_of(value))
        self.assertLessEqual(value, read)
        self.assertLessEqual(read - value, value / 127)

    def test_in_order(self) -> None:
        """No two buckets overlap, from the exact ones on."""
        ends = [highest_in(bucket) for bucket in range(2000)]
        self.assertEqual(ends, sorted(set(ends)))
        for bucket, end in enumerate(ends):
            self.assertEqual((bucket_of(end), bucket_of(end + 1)), (bucket, bucket + 1), (bucket, end))

    def test_negative(self) -> None:
        """Clocks that disagree do not end a measurement."""
        self.assertEqual(bucket_of(-5), 0)
        self.assertEqual(histogram_of([-5]).percentile(50), 0)


class HistogramTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(VALUES, st.sampled_from([50, 90, 99, 100]))
    def test_percentile(self, values: list[int], percent: int) -> None:
        """A percentile is that of the sorted values, within one percent."""
        exact = sorted(values)[-(-len(values) * percent // 100) - 1]
        found = histogram_of(values).percentile(percent)
        self.assertLessEqual(exact, found)
        self.assertLessEqual(found - exact, exact / 127)

    @settings(max_examples=examples(30), deadline=None)
    @given(VALUES, VALUES)
    def test_add(self, some: list[int], others: list[int]) -> None:
        """Two processes' counts together read as if one had counted."""
        together = histogram_of(some)
        together.add(Histogram.from_json(json.loads(json.dumps(histogram_of(others).to_json()))))
        self.assertEqual(together.to_json(), histogram_of(some + others).to_json())
        self.assertEqual(together.count, len(some) + len(others))

    def test_nothing(self) -> None:
        """A run in which nothing was answered has figures all the same."""
        self.assertEqual((Histogram().percentile(99), Histogram().mean()), (0, 0.0))

    def test_mean(self) -> None:
        """The mean is exact."""
        self.assertEqual(histogram_of([1000, 2001]).mean(), 1500.5)

    def test_not_ours(self) -> None:
        """What is no histogram is refused."""
        self.assertRaises(TypeError, Histogram.from_json, {"counts": 1, "total": 0, "highest": 0})
