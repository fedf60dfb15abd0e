"""The verdict on versions: of Python, of what the proxy stands on, and of what its configuration needs besides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from attrs import frozen

from .findings import Finding, fault, ok, warning

LEAST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 14)

_BOUND = re.compile(r"(>=|<=|==|!=|~=|<|>)\s*([0-9][0-9.]*)")


@frozen
class PackageFacts:
    """
    @ivar wanted: C{">=26.4"}, as its bounds are declared; C{""} for any.
    @ivar found: the version that is installed; C{None} if it is not.
    @ivar needed: what needs it, C{""} for the proxy itself.
    @ivar extra: what brings it, C{""} for the proxy itself.
    """

    name: str
    wanted: str = ""
    found: str | None = None
    needed: str = ""
    extra: str = ""


@frozen
class VersionFacts:
    """@ivar libraries: what is no package of Python: OpenSSL, SQLite."""

    llmproxy: str
    python: tuple[int, int]
    packages: tuple[PackageFacts, ...] = ()
    libraries: tuple[str, ...] = ()


def judge_versions(facts: VersionFacts) -> Iterator[Finding]:
    """What is missing, too old, or newer than anybody has tried."""
    python = ".".join(map(str, facts.python))
    if facts.python < LEAST_PYTHON:
        yield fault(f"Python {python} is too old", "use Python 3.10 or newer")
    elif facts.python > NEWEST_PYTHON:
        yield warning(f"Python {python} is newer than anybody has tried this release with", "use Python 3.14")
    for package in facts.packages:
        found = _of_package(package)
        if found is not None:
            yield found
    yield ok(f"llmproxy {facts.llmproxy}, Python {python}, {', '.join(facts.libraries)}")


def _of_package(package: PackageFacts) -> Finding | None:
    name = f"txllmproxy[{package.extra}]" if package.extra else f"{package.name}{package.wanted}"
    if package.found is None:
        needs = package.needed or "the proxy"
        return fault(f"{package.name} is missing, which {needs} needs", f"pip install '{name}'")
    if not is_within(package.found, package.wanted):
        says = f"{package.name} is {package.found}, and has to be {package.wanted}"
        return fault(says, f"pip install '{package.name}{package.wanted}'")
    return None


def is_within(version: str, bounds: str) -> bool:
    """
    Whether a version is within bounds as C{>=1.2,<2}; by its numbers only, which is all that we declare.

    What is no such bound holds.
    """
    return all(_holds(version, sign, bound) for sign, bound in _BOUND.findall(bounds))


def _holds(version: str, sign: str, bound: str) -> bool:
    order = _compared(version, bound)
    if sign == "~=":
        return order >= 0 and _numbers(version)[: bound.count(".")] == _numbers(bound)[: bound.count(".")]
    if sign == "!=":
        return order != 0
    return ("=" in sign and order == 0) or (">" in sign and order > 0) or ("<" in sign and order < 0)


def _compared(one: str, other: str) -> int:
    for a, b in zip_longest(_numbers(one), _numbers(other), fillvalue=0):
        if a != b:
            return 1 if a > b else -1
    return 0


def _numbers(version: str) -> list[int]:
    """The release, as PEP 440 has it: what comes behind its numbers is left out."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return [] if found is None else [int(part) for part in found[1].split(".")]
