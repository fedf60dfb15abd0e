"""Versions of managed settings: what a client compares, the audit log names, and pages show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from attrs import frozen


def version_of(content: str) -> str:
    """
    The version of settings, as JSON: the same settings have the same, on every machine, and in Claude Code, which makes
    it of those that it has.
    """
    same = json.dumps(json.loads(content), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(same.encode("utf-8", "surrogatepass")).hexdigest()


def checksum_of(content: str) -> str:
    """What Claude Code calls the version."""
    return f"sha256:{version_of(content)}"


def payload_of(content: str) -> str:
    """
    Settings as Claude Code takes them from a gateway: it starts with no others, where people sign in by its own
    C{/login}; empty ones are C{"settings": {}}.

    @param content: a JSON object.
    """
    checksum = checksum_of(content)
    return f'{{"uuid":"{checksum}","checksum":"{checksum}","settings":{content}}}'


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


@frozen
class SettingsVersion:
    """
    @ivar groups: whom it is for, with commas.
    @ivar version: C{""}: there are none from then on.
    @ivar version_before: C{""}: there were none.
    @ivar content: JSON, with what looks like a key masked; C{""} for none.
    """

    id: str
    noted_at: float
    groups: str
    version: str
    version_before: str
    content: str
