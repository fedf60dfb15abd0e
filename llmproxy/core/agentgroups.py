"""Groups of people: the first entry of a configuration that fits them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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


def settings_for(
    entries: Sequence[tuple[Sequence[str], str]], stored: Mapping[str, str], groups: Collection[str]
) -> str | None:
    """
    The settings of somebody of C{groups}, whole: nothing is merged. C{None} for none, which is another thing than empty
    ones.

    What was set for one of their groups comes first, by the names of the groups; then what the configuration says, in
    its order, where what was set for everybody stands in the place of its own for everybody.

    @param entries: of the configuration: groups and content.
    @param stored: what was set by the management API, by the name of the group.
    """
    for group in sorted(groups):
        if group in stored and group != EVERYBODY:
            return stored[group]
    for names, content in entries:
        if EVERYBODY in names:
            return stored.get(EVERYBODY, content)
        if not set(groups).isdisjoint(names):
            return content
    return stored.get(EVERYBODY)
