"""
The bound of what callers can say: users, sessions, programs, tags and metadata that a day has under their own names.

What is beyond it is rolled up as C{other}; single records keep what was said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from ..core.rollupkeys import Sample, Value, with_values
from ..core.rollups import DAY, OTHER, VALUED
from . import bulk
from .schema import usage_rollups, usage_values
from .usageseries import number_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MOST_VALUES = {"user": 10_000, "person": 10_000}
"""Of one day and one name, counted in each project; L{MOST} for other kinds."""

MOST = 1000
MOST_NAMES = 100
"""Of tags, and of metadata, of one day. What has a further name is in single records only."""

NAMED = ("metadata", "tag")

MOST_KNOWN = 20_000
"""Values that are remembered, at about 300 bytes each."""

_CUBE = VALUED[0]


class Place(NamedTuple):
    """Where a value is counted."""

    day: int
    kind: str
    name: str


class Said(NamedTuple):
    """A value, on a day and in a project."""

    day: int
    project_id: str
    value: Value

    @property
    def place(self) -> Place:
        return Place(self.day, *self.value[:2])

    @property
    def number(self) -> int:
        return number_of((_CUBE.number, self.project_id, "", "", "", "", "", 0, *self.value))


class AdmittedValues:
    """Used in one transaction at a time, like L{llmproxy.store.usageseries.SeriesNumbers}."""

    def __init__(self) -> None:
        self._known: set[Said] = set()
        self._new: set[Said] = set()

    def of(self, connection: Connection, samples: Iterable[Sample]) -> dict[Sample, Sample]:
        """What samples are rolled up as, where that is not what they are."""
        said = {sample: _said(sample) for sample in samples if sample.values}
        wanted = {each for some in said.values() for each in some if each not in self._known}
        self._new, dropped = _admitted(connection, wanted) if wanted else (set(), set())
        others = wanted - self._new
        if not others:
            return {}

        def shown(some: list[Said]) -> list[Value]:
            kept = [each for each in some if each not in others or each.place not in dropped]
            return [(*each.value[:2], OTHER) if each in others else each.value for each in kept]

        return {s: with_values(s, shown(some)) for s, some in said.items() if not others.isdisjoint(some)}

    def kept(self) -> None:
        """What the last transaction put into the database is there."""
        if len(self._known) + len(self._new) > MOST_KNOWN:
            self._known = set()
        self._known |= self._new
        self._new = set()


def _said(sample: Sample) -> list[Said]:
    day, project_id = sample.day, sample.dimensions[0]
    return [Said(day, project_id, value) for value in sample.values]


def _admitted(connection: Connection, wanted: set[Said]) -> tuple[set[Said], set[Place]]:
    """Those that are rolled up under their own names, and what is not rolled up at all."""
    places = {said.place for said in wanted}
    dropped = places - _named(connection, places)
    bulk.add(connection, usage_values, sorted((*place, 0) for place in places - dropped))
    counted = _counts(connection, places)
    numbers = {said: said.number for said in wanted}
    there = _there(connection, numbers)
    admitted = {said for said in wanted if numbers[said] in there[said.day] and said.place not in dropped}
    more: Counter[Place] = Counter()
    for said in sorted(wanted - admitted):
        place = said.place
        if place in counted and counted[place] + more[place] < MOST_VALUES.get(place.kind, MOST):
            more[place] += 1
            admitted.add(said)
    bulk.add(connection, usage_values, sorted((*place, count) for place, count in more.items()))
    return admitted, dropped


def _named(connection: Connection, places: set[Place]) -> set[Place]:
    """Those whose names there is room for. Names are counted in the row of the day that has none."""
    bounded = {place for place in places if place.kind in NAMED}
    counters = {Place(place.day, place.kind, "") for place in bounded}
    bulk.add(connection, usage_values, sorted((*counter, 0) for counter in counters))
    counted = _counts(connection, bounded | counters)
    found = (places - bounded) | (bounded & counted.keys())
    more: Counter[Place] = Counter()
    for place in sorted(bounded - found):
        counter = Place(place.day, place.kind, "")
        if counted[counter] + more[counter] < MOST_NAMES:
            more[counter] += 1
            found.add(place)
    bulk.add(connection, usage_values, sorted((*counter, count) for counter, count in more.items()))
    return found


def _counts(connection: Connection, places: set[Place]) -> dict[Place, int]:
    days, kinds = {place.day for place in places}, {place.kind for place in places}
    if not places:
        return {}
    query = select(usage_values).where(usage_values.c.day.in_(days), usage_values.c.kind.in_(kinds))
    return {Place(*row[:3]): row.admitted for row in connection.execute(query)}


def _there(connection: Connection, wanted: Mapping[Said, int]) -> dict[int, set[int]]:
    """The series that a day has already, by the day."""
    days: dict[int, list[int]] = {}
    for said, number in wanted.items():
        days.setdefault(said.day, []).append(number)
    found: dict[int, set[int]] = {}
    for day, numbers in sorted(days.items()):
        for chunk in bulk.chunks(sorted(numbers), 500):
            query = select(usage_rollups.c.series).where(
                usage_rollups.c.cube == _CUBE.number,
                usage_rollups.c.level == DAY,
                usage_rollups.c.bucket == day,
                bulk.among(connection.dialect.name, usage_rollups.c.series, chunk),
            )
            found.setdefault(day, set()).update(connection.scalars(query))
    return found
