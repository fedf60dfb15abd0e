"""Versions of managed settings: what a client compares, the audit log names, and pages show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from attrs import frozen


def version_of(content: str) -> str:
    """The version of settings: the same settings have the same, on every machine."""
    return sha256(content.encode()).hexdigest()[:32]


def versions_of(entries: Iterable[tuple[Sequence[str], str]]) -> dict[str, str]:
    """By the groups that an entry is for; of two for the same groups the first one is what they get."""
    found: dict[str, str] = {}
    for groups, content in entries:
        found.setdefault(", ".join(groups), version_of(content))
    return found


@frozen
class Changed:
    """
    The settings of some groups are others.

    @ivar before: their version; C{""} if there were none. C{after} likewise.
    """

    groups: str
    before: str
    after: str


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[Changed]:
    """What is different, by L{versions_of}."""
    names = [*before, *(each for each in after if each not in before)]
    pairs = ((each, before.get(each, ""), after.get(each, "")) for each in names)
    return [Changed(*each) for each in pairs if each[1] != each[2]]
