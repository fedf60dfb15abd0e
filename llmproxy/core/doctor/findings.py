"""Findings of C{llmproxy doctor}: what a check says of what it has seen, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from attrs import frozen

Level = Literal["ok", "skipped", "note", "warning", "fault"]
"""From the best to the worst; C{note} is worth knowing and nothing to mend."""

LEVELS: tuple[Level, ...] = get_args(Level)


@frozen
class Finding:
    """
    @ivar level: how bad it is.
    @ivar says: what was found, a sentence without a secret.
    @ivar mend: what to do about it; C{""} where there is nothing to do.
    """

    level: Level
    says: str
    mend: str = ""


def ok(says: str) -> Finding:
    return Finding("ok", says)


def skipped(says: str) -> Finding:
    return Finding("skipped", says)


def note(says: str, mend: str = "") -> Finding:
    return Finding("note", says, mend)


def warning(says: str, mend: str) -> Finding:
    return Finding("warning", says, mend)


def fault(says: str, mend: str) -> Finding:
    return Finding("fault", says, mend)


def status_of(findings: Iterable[Finding]) -> int:
    """With which status a command ends: 0 where nothing is to be mended, 1 after warnings, 2 after faults."""
    worst = max((LEVELS.index(each.level) for each in findings), default=0)
    return max(0, worst - LEVELS.index("note"))


def worst_of(findings: Iterable[Finding]) -> Level:
    """The worst level of some findings."""
    return LEVELS[max((LEVELS.index(each.level) for each in findings), default=0)]
