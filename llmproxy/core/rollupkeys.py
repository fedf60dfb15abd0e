"""Keys of roll-ups: what an exchange is added up under."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .rollups import DAY, DIMENSIONS, PLAIN, QUARTER, SINGLE, VALUED, WIDTHS, Cube

if TYPE_CHECKING:
    from .ledger.entry import Entry

T = TypeVar("T")

Numbers = tuple[int, ...]

Series = tuple[int, str, str, str, str, str, str, int, str, str, str]
"""The number of a cube, L{llmproxy.core.rollups.DIMENSIONS}, L{llmproxy.core.rollups.VALUE}."""

Value = tuple[str, str, str]
"""Kind, name and value."""

Block = tuple[int, int, int]
"""The number of a cube, a level and a bucket."""


class Sample(NamedTuple):
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


def added_up(samples: Iterable[tuple[Sample, Numbers]]) -> dict[Sample, Numbers]:
    """The numbers of each sample."""
    found: dict[Sample, list[Numbers]] = {}
    for sample, numbers in samples:
        found.setdefault(sample, []).append(numbers)
    return _totals(found)


def rolled_up(sums: dict[Sample, Numbers]) -> dict[Block, dict[Series, Numbers]]:
    """What is added to each roll-up. Blocks of several levels may have one and the same dictionary."""
    by_quarter: dict[int, dict[Sample, Numbers]] = {}
    for sample, numbers in sums.items():
        by_quarter.setdefault(sample.quarter, {})[sample] = numbers
    found: dict[Block, list[dict[Series, Numbers]]] = {}
    for quarter, some in by_quarter.items():
        at = quarter * WIDTHS[QUARTER]
        for cube, totals in _of_cubes(some):
            for level in cube.levels:
                found.setdefault((cube.number, level, at // WIDTHS[level]), []).append(totals)
    return {block: parts[0] if len(parts) == 1 else _merged(parts) for block, parts in found.items()}


def _of_cubes(sums: dict[Sample, Numbers]) -> Iterator[tuple[Cube, dict[Series, Numbers]]]:
    """The sums of each cube that has some. A cube is made of a smaller one that tells apart what it does, and more."""
    plain: dict[frozenset[str], dict[tuple[Any, ...], Numbers]] = {}
    finest: dict[tuple[Any, ...], list[Numbers]] = {}
    for sample, numbers in sums.items():
        finest.setdefault((*sample.dimensions, "", 0), []).append(numbers)
    plain[frozenset(DIMENSIONS)] = _totals(finest)
    for cube in sorted(PLAIN, key=_how_fine, reverse=True):
        of = min((kept for kept in plain if cube.dimensions <= kept), key=lambda kept: len(plain[kept]))
        project = _projection(cube)
        found: dict[tuple[Any, ...], list[Numbers]] = {}
        for key, numbers in plain[of].items():
            found.setdefault((*project(key), "", 0), []).append(numbers)
        totals = plain[cube.dimensions] = _totals(found)
        yield cube, {(cube.number, *key[:-2], "", "", ""): numbers for key, numbers in totals.items()}
    valued = [(sample, numbers) for sample, numbers in sums.items() if sample.values]
    for cube in VALUED if valued else ():
        project = _projection(cube)
        said: dict[Series, list[Numbers]] = {}
        for sample, numbers in valued:
            of_cube = (cube.number, *project((*sample.dimensions, "", 0)))
            for value in sample.values:
                said.setdefault((*of_cube, *value), []).append(numbers)
        yield cube, _totals(said)


def _how_fine(cube: Cube) -> int:
    return len(cube.dimensions)


@cache
def _projection(cube: Cube) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """What keeps the dimensions of a cube, of all and of what stands for a text and a number that is not kept."""
    nothing = {name: len(DIMENSIONS) + (name == "status") for name in DIMENSIONS}
    return itemgetter(*(at if name in cube.dimensions else nothing[name] for at, name in enumerate(DIMENSIONS)))


def _totals(found: dict[T, list[Numbers]]) -> dict[T, Numbers]:
    return {key: each[0] if len(each) == 1 else tuple(map(sum, zip(*each, strict=True))) for key, each in found.items()}


def _merged(parts: list[dict[Series, Numbers]]) -> dict[Series, Numbers]:
    found: dict[Series, list[Numbers]] = {}
    for part in parts:
        for series, numbers in part.items():
            found.setdefault(series, []).append(numbers)
    return _totals(found)


def with_values(sample: Sample, values: Iterable[Value]) -> Sample:
    """The same with other values, each once."""
    return Sample(sample.quarter, sample.dimensions, tuple(dict.fromkeys(values)))
