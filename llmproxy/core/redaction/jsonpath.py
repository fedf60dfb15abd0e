"""
Paths into JSON, RFC 9535 without filters and slices: C{$.user}, C{$.messages[*].content}, C{$..name}, C{$['a b'][0]}.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import frozen

_STEP = re.compile(
    r"""(?P<deep>\.\.)?(?:
      (?<=\.)(?P<name>[^\s.\[\]*'"$]+)
    | (?<=\.)(?P<star>\*)
    | \[\s*(?:(?P<at>-?\d{1,9})|(?P<every>\*)|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*\]
    )|\.(?=[^.\[])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

MOST_STEPS = 20


@frozen
class Step:
    """
    @ivar key: the name of a member, the index of an element, or C{None} for all of them.
    @ivar deep: wherever it stands below.
    """

    key: str | int | None
    deep: bool = False


@frozen
class JsonPath:
    """
    @ivar text: as it was written.
    @ivar steps: from the top; none is the whole.
    """

    text: str
    steps: tuple[Step, ...]


def json_path(text: str) -> JsonPath:
    """
    @raise ValueError: with what is not right.
    """
    steps: list[Step] = []
    at = 1
    if not text.startswith("$"):
        raise ValueError("a path begins with $")
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(
                f"{text[:60]!r} is no path from {text[at : at + 20]!r} on: use .name, ['name'], [0], [*], .* and ..name"
            )
        at = found.end()
        if found.lastgroup is not None:
            steps.append(_step(found))
    if len(steps) > MOST_STEPS:
        raise ValueError(f"a path has at most {MOST_STEPS} steps")
    return JsonPath(text, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    deep = found["deep"] is not None
    if found["at"] is not None:
        return Step(int(found["at"]), deep)
    for name in ("single", "double"):
        if found[name] is not None:
            return Step(_ESCAPED.sub(r"\1", found[name]), deep)
    return Step(found["name"], deep)


def without(value: Any, path: JsonPath, mark: Any) -> Any:
    """
    The same value, changed in place, with C{mark} wherever C{path} leads.

    @raise RecursionError: it is nested too deeply.
    """
    if not path.steps:
        return mark
    _take_out(value, path.steps, 0, mark, set())
    return value


def _take_out(value: Any, steps: tuple[Step, ...], at: int, mark: Any, seen: set[tuple[int, int]]) -> None:
    # However many steps look everywhere below, no place is looked at twice for the same one.
    if not isinstance(value, (dict, list)) or (id(value), at) in seen:
        return
    seen.add((id(value), at))
    step, is_last = steps[at], at + 1 == len(steps)
    for key in _keys(value, step.key):
        if is_last:
            value[key] = mark
        else:
            _take_out(value[key], steps, at + 1, mark, seen)
    if step.deep:
        for each in value.values() if isinstance(value, dict) else value:
            _take_out(each, steps, at, mark, seen)


def _keys(value: Any, key: str | int | None) -> list[Any]:
    if isinstance(value, dict):
        return list(value) if key is None else [key] if isinstance(key, str) and key in value else []
    if key is None:
        return list(range(len(value)))
    return [key] if isinstance(key, int) and -len(value) <= key < len(value) else []
