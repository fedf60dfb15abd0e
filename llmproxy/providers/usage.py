"""The shape in which the answers of a vendor tell their usage, and what reads such shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from ..core.models import named
from ..usage import Usage

_MOST = 2**53 - 1
"""RFC 8259 section 6: integers up to here are the same to every reader."""


@frozen
class UsageShape:
    """
    The way in which answers of a vendor tell their usage.

    @ivar members: what holds it, from the top, with dots between.
    @ivar models: what names the model that answered, likewise.
    @ivar read: makes the usage of those that were found, by their paths; C{None} if they are of another shape.
    @ivar signs: names of which one stands in C{usage}, where that is all that was found of C{members}: an object with
        none of them is of another shape, and C{read} is not asked. Empty for a shape that may have any.
    @ivar identity: what names an answer, and says how far one is that can be fetched again, likewise.
    """

    members: tuple[str, ...]
    models: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Usage | None]
    identity: tuple[str, ...] = ()
    signs: frozenset[str] = frozenset()


def count(value: Any, name: str) -> int | None:
    """A member that counts something; C{None} where it does not."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if type(found) is int and 0 <= found <= _MOST else None


def counts(value: Any, names: tuple[str, ...]) -> list[int | None]:
    """Several members, each as L{count} has it."""
    if type(value) is not dict:
        return [None] * len(names)
    found = [*map(value.get, names)]
    for each in found:
        if each is not None and (type(each) is not int or not 0 <= each <= _MOST):
            return [count(value, name) for name in names]
    return found


def total(*parts: int | None) -> int | None:
    """The sum of those that are known; C{None} where none is."""
    whole = None
    for part in parts:
        if part is not None:
            whole = part if whole is None else whole + part
    return whole


def remainder(whole: int | None, part: int | None) -> int | None:
    """What is left of C{whole}; C{None} where one is not known, or they contradict each other."""
    return None if whole is None or part is None or part > whole else whole - part


def model_among(found: Mapping[str, Any], paths: tuple[str, ...]) -> str:
    """The first of C{paths} that names a model; C{""} for none."""
    for path in paths:
        if path in found:
            name = named(found[path])
            if name:
                return name
    return ""


def known_members(value: Any) -> dict[str, Any]:
    """The members of an object that are not null; none of anything else."""
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else {}


def number(value: Any, name: str) -> float | None:
    """A member that is a duration in seconds; C{None} where it is none."""
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found < 1e9:
        return None
    return float(found)
