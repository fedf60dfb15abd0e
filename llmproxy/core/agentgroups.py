"""Groups of people: the first entry of a configuration that fits them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

EVERYBODY = "*"
"""People of every group, and of none."""


class OfGroups(Protocol):
    """An entry of a configuration that is for some groups."""

    @property
    def groups(self) -> Sequence[str]: ...


Entry = TypeVar("Entry", bound=OfGroups)


def fits(entry: OfGroups, groups: Collection[str]) -> bool:
    """Whether an entry is for somebody of C{groups}."""
    return EVERYBODY in entry.groups or not set(groups).isdisjoint(entry.groups)


def first_for(entries: Iterable[Entry], groups: Collection[str]) -> Entry | None:
    """The first entry for somebody of C{groups}; C{None} for nothing."""
    return next((entry for entry in entries if fits(entry, groups)), None)
