"""Counts in logarithmic buckets: latencies of any number in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping

SUB_BITS = 7
"""128 buckets for each power of two: a value read back is off by less than 0.8 %."""

_SUB = 1 << SUB_BITS
_BUCKETS = (64 - SUB_BITS + 1) * _SUB


def bucket_of(value: int) -> int:
    """The bucket of a value between 0 and 2**63; negative values, from clocks that differ, count as 0."""
    if value < _SUB:
        return value if value > 0 else 0
    shift = value.bit_length() - SUB_BITS - 1
    return (shift << SUB_BITS) + (value >> shift)


def highest_in(bucket: int) -> int:
    """The largest value that L{bucket_of} puts there."""
    if bucket < 2 * _SUB:
        return bucket
    shift = (bucket >> SUB_BITS) - 1
    return (((bucket & (_SUB - 1)) + _SUB + 1) << shift) - 1


class Histogram:
    """
    @ivar count: how many values were recorded.
    @ivar highest: the largest of them, exact.
    """

    __slots__ = ("_counts", "_total", "count", "highest")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._total = 0
        self.count = 0
        self.highest = 0

    def record(self, value: int) -> None:
        """Written out rather than calling L{bucket_of}: it runs once for every request of a load."""
        if value < _SUB:
            self._counts[value if value > 0 else 0] += 1
        else:
            shift = value.bit_length() - SUB_BITS - 1
            self._counts[(shift << SUB_BITS) + (value >> shift)] += 1
        self.count += 1
        self._total += value
        if value > self.highest:
            self.highest = value

    def mean(self) -> float:
        return self._total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """The least recorded bucket's end that this share of the values does not exceed; 0 of nothing."""
        wanted = max(1.0, self.count * percent / 100.0)
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= wanted and count:
                return min(highest_in(bucket), self.highest)
        return self.highest

    def add(self, other: Histogram) -> None:
        """Take in what another one counted."""
        for bucket, count in enumerate(other._counts):
            if count:
                self._counts[bucket] += count
        self.count += other.count
        self._total += other._total
        self.highest = max(self.highest, other.highest)

    def to_json(self) -> dict[str, object]:
        """Only the buckets that hold something."""
        counts = {str(bucket): count for bucket, count in enumerate(self._counts) if count}
        return {"counts": counts, "total": self._total, "highest": self.highest}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Histogram:
        """@raise KeyError, TypeError, ValueError: not what L{to_json} wrote."""
        self = cls()
        counts = value["counts"]
        if not isinstance(counts, Mapping):
            raise TypeError("counts must be an object")
        for bucket, count in counts.items():
            self._counts[int(bucket)] = count
            self.count += count
        self._total = int(str(value["total"]))
        self.highest = int(str(value["highest"]))
        return self
