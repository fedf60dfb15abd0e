"""Quantiles of what was only counted by buckets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """
    About the value that C{share} of all are below; C{None} if there are none.

    Within a bucket values are taken to be spread evenly. What lies beyond the last bound is taken to be that.

    @param bounds: the upper bounds of the buckets, ascending.
    @param counts: of each, and one more for what lies beyond.
    @param share: from 0 to 1.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = share * total
    for at, below in enumerate(accumulate(counts)):
        if below >= wanted and counts[at]:
            if at >= len(bounds):
                break
            low = bounds[at - 1] if at else 0.0
            return low + (bounds[at] - low) * (wanted - (below - counts[at])) / counts[at]
    return bounds[-1]
