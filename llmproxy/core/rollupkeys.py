"""Keys of roll-ups: what an exchange is added up under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import add
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from .rollups import DAY, DIMENSIONS, PLAIN, QUARTER, SINGLE, VALUED, WIDTHS, Cube
from .usagesums import numbers_of

if TYPE_CHECKING:
    from .ledger.entry import Entry

T = TypeVar("T")

Numbers = tuple[int, ...]

Series = tuple[int, str, str, str, str, str, str, int, str, str, str]
"""The number of a cube, L{llmproxy.core.rollups.DIMENSIONS}, L{llmproxy.core.rollups.VALUE}."""

Value = tuple[str, str, str]
"""Kind, name and value."""

Bucket = tuple[int, int, int, Series]
"""The number of a cube, a level, a bucket and a series."""


@frozen
class Sample:
    """
    What exchanges have in common that are added up together.

    @ivar quarter: of an hour, counted from the epoch.
    @ivar dimensions: by L{DIMENSIONS}.
    @ivar values: that each of them has.
    """

    quarter: int
    dimensions: tuple[str, str, str, str, str, str, int]
    values: tuple[Value, ...] = ()

    @property
    def day(self) -> int:
        return self.quarter * WIDTHS[QUARTER] // WIDTHS[DAY]


def values_of(entry: Entry) -> tuple[Value, ...]:
    """What an exchange has of what it can have several of."""
    found = [(kind, "", value) for kind, name in SINGLE.items() if (value := getattr(entry, name))]
    for kind, values in (("tag", entry.tags), ("metadata", entry.metadata)):
        if values:
            found += [(kind, name, value) for name, value in values.items() if name and value]
    return tuple(found)


def added_up(samples: Iterable[tuple[Sample, Entry]]) -> dict[Sample, Numbers]:
    """The numbers of each sample."""
    found: dict[Sample, Numbers] = {}
    for sample, entry in samples:
        numbers, before = numbers_of(entry), found.get(sample)
        found[sample] = numbers if before is None else tuple(map(add, before, numbers))
    return found


def rolled_up(sums: dict[Sample, Numbers]) -> dict[Bucket, Numbers]:
    """What is added to each roll-up."""
    by_quarter: dict[tuple[Cube, int, Series], Numbers] = {}
    for sample, numbers in sums.items():
        for cube, series in series_of(sample):
            _add(by_quarter, (cube, sample.quarter, series), numbers)
    found: dict[Bucket, Numbers] = {}
    for (cube, quarter, series), numbers in by_quarter.items():
        at = quarter * WIDTHS[QUARTER]
        for level in cube.levels:
            _add(found, (cube.number, level, at // WIDTHS[level], series), numbers)
    return found


def _add(found: dict[T, Numbers], key: T, numbers: Numbers) -> None:
    before = found.get(key)
    found[key] = numbers if before is None else tuple(map(add, before, numbers))


def series_of(sample: Sample) -> Iterator[tuple[Cube, Series]]:
    """The series that a sample is in, one of each cube, and one for each of its values."""
    for cube in PLAIN:
        yield cube, (cube.number, *_of(cube, sample.dimensions), "", "", "")
    for value in sample.values:
        for cube in VALUED:
            yield cube, (cube.number, *_of(cube, sample.dimensions), *value)


@lru_cache(2000)
def _of(cube: Cube, dimensions: tuple[str, str, str, str, str, str, int]) -> tuple[str, str, str, str, str, str, int]:
    kept = cube.dimensions
    return tuple(  # type: ignore[return-value]
        value if name in kept else 0 if name == "status" else ""
        for name, value in zip(DIMENSIONS, dimensions, strict=True)
    )


def with_values(sample: Sample, values: Iterable[Value]) -> Sample:
    """The same with other values, each once."""
    return Sample(sample.quarter, sample.dimensions, tuple(dict.fromkeys(values)))
