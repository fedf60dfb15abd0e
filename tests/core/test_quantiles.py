"""Quantiles of histograms."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.quantiles import quantile

BOUNDS = (1.0, 2.0, 4.0)


class QuantileTests(SynchronousTestCase):
    def test_values(self) -> None:
        """Within a bucket values are spread evenly; beyond the last bound it is that bound."""
        for counts, share, value in (
            ((10, 0, 0, 0), 0.5, 0.5),
            ((0, 10, 0, 0), 0.5, 1.5),
            ((5, 5, 0, 0), 0.5, 1.0),
            ((5, 5, 0, 0), 0.95, 1.9),
            ((0, 0, 4, 0), 0.25, 2.5),
            ((1, 0, 0, 9), 0.5, 4.0),
            ((0, 0, 0, 1), 0.99, 4.0),
            ((0, 0, 0, 0), 0.5, None),
            ((4, 0, 0, 0), 0.0, 0.0),
        ):
            found = quantile(BOUNDS, counts, share)
            self.assertEqual(None if found is None else round(found, 9), value, (counts, share))
