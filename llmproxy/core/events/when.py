"""The filter of a sink: which events it wants, by their fields and by a share of them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import translate
from hashlib import blake2b
from typing import Any

import msgspec

from .event import EXCHANGE, Event

Test = Callable[[Any], bool]

MOST_TESTS = 100
"""Fields, and values of each, of one C{when}."""

_FIELDS = {each.name: each.type for each in msgspec.structs.fields(Event)}
_MAPPINGS = frozenset({"tags", "metadata", "details", "usage", "saved"})
"""Fields that have others below them, as in C{tags.team}."""

_NOT_ASKED = frozenset({"content", "attempts_made", "time"})
_COMPARED = re.compile(r"\s*(>=|<=|!=|>|<)\s*(.*?)\s*", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class When:
    """
    All of its tests hold, or the event is not wanted. Where nothing is said of C{kind}, only exchanges are.

    @param said: values by the names of fields; each a value, a list of which one matches, a pattern with C{*}, or a
        text that begins with C{>=}, C{<=}, C{>}, C{<} or C{!=}.
    @param sample: the share of exchanges that is wanted, from 0 to 1: those of the same ids for every sink. What is no
        exchange is never left out by it.
    @raise ValueError: a field is none, or a value cannot be compared; the text names it.
    """

    def __init__(self, said: Mapping[str, Any] | None = None, sample: float = 1.0) -> None:
        said = dict(said or {})
        if len(said) > MOST_TESTS:
            raise ValueError(f"when: at most {MOST_TESTS} fields")
        kinds = said.pop("kind", EXCHANGE)
        self.kinds = tuple(str(each) for each in (kinds if isinstance(kinds, (list, tuple)) else [kinds]))
        self._only_exchanges = self.kinds == (EXCHANGE,)
        self._is_kind = _test("kind", kinds)
        self._tests = [(_reader(name), _test(name, value)) for name, value in said.items()]
        self._below = None if sample >= 1 else int(sample * 2**32)

    @property
    def wants_all_exchanges(self) -> bool:
        """Every exchange is wanted, and nothing else."""
        return self._only_exchanges and not self._tests and self._below is None

    def wants_kind(self, kind: str) -> bool:
        """Whether an event of such a kind may be wanted; C{kind} may end with C{*} for any that begin so."""
        if kind.endswith("*"):
            return any(_overlap(each, kind[:-1]) for each in self.kinds)
        return self._is_kind(kind)

    def matches(self, event: Event) -> bool:
        """Whether it is wanted."""
        if event.kind != EXCHANGE if self._only_exchanges else not self._is_kind(event.kind):
            return False
        for read, test in self._tests:
            if not test(read(event)):
                return False
        return self._below is None or event.kind != EXCHANGE or _number(event.id) < self._below


def _overlap(pattern: str, beginning: str) -> bool:
    """Whether a kind that begins so could match."""
    if pattern.startswith("!="):
        return True
    fixed = re.split(r"[*?\[]", pattern)[0]
    return fixed.startswith(beginning) or (fixed != pattern and beginning.startswith(fixed))


def _number(id: str) -> int:
    return int.from_bytes(blake2b(id.encode("utf-8", "replace"), digest_size=4).digest(), "big")


def _reader(name: str) -> Callable[[Event], Any]:
    field, dot, below = name.partition(".")
    if field not in _FIELDS or field in _NOT_ASKED:
        known = ", ".join(each for each in _FIELDS if each not in _NOT_ASKED)
        raise ValueError(f"when: there is no field {name[:60]!r}; there are {known}")
    if bool(dot) != (field in _MAPPINGS):
        raise ValueError(
            f"when: {field} has names below it, as in {field}.name" if not dot else f"when: {field} has none"
        )
    if not dot:
        return operator.attrgetter(field)

    def read(event: Event) -> Any:
        return (getattr(event, field) or {}).get(below)

    return read


def _test(name: str, value: Any) -> Test:
    if isinstance(value, (list, tuple)):
        if not value or len(value) > MOST_TESTS:
            raise ValueError(f"when: {name} needs from 1 to {MOST_TESTS} values")
        tests = [_test(name, each) for each in value]
        return lambda found: any(test(found) for test in tests)
    if isinstance(value, Mapping):
        raise ValueError(f"when: {name}: expected a value, a list of values or a comparison")
    if value is None:
        return lambda found: found is None or found == ""
    if isinstance(value, bool):
        return lambda found: found is value
    compared = _COMPARED.fullmatch(value) if isinstance(value, str) else None
    if compared is not None:
        return _comparison(name, compared[1], compared[2])
    return _equal(value)


def _comparison(name: str, sign: str, text: str) -> Test:
    if sign == "!=":
        same = _equal(text)
        return lambda found: not same(found)
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"when: {name}: expected a number behind {sign}, got {text[:40]!r}") from None
    compare = _OPERATORS[sign]

    def test(found: Any) -> bool:
        read = _float(found)
        return read is not None and compare(read, number)

    return test


def _float(found: Any) -> float | None:
    """A number, or a text that is one, as costs are; C{None} is no number, and neither is a flag."""
    if isinstance(found, bool) or found is None:
        return None
    try:
        return float(found)
    except (TypeError, ValueError):
        return None


def _equal(value: Any) -> Test:
    text = str(value)
    if any(sign in text for sign in "*?"):
        matched = re.compile(translate(text)).match
        return lambda found: matched(_text(found)) is not None
    number = _float(value)
    if number is None:
        return lambda found: _text(found) == text

    def test(found: Any) -> bool:
        return _text(found) == text or (not isinstance(found, str) and _float(found) == number)

    return test


def _text(found: Any) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else str(found)
