"""Readers of single values of a configuration file: texts by a rule, lists, sections, numbers, durations and sizes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from .document import Item
from .units import parse_duration, parse_size

NOTED: Any = object()
"""What a reader returns for a value that is wrong; why has been noted."""

_NO_VALUE = "\0"

Reader = Callable[[Item], Any]


def by(rule: Callable[[str], Any]) -> Reader:
    """A text that a rule makes a value of."""

    def read(item: Item) -> Any:
        text = item.text() if item.is_text else item.text(_expected(rule))
        if text is None:
            return NOTED
        try:
            return rule(text)
        except ValueError as error:
            item.problem(str(error))
            return NOTED

    return read


def _expected(rule: Callable[[str], Any]) -> str:
    """In words, from what a rule says of a text that none takes: C{a duration such as 30s}; else C{a text}."""
    try:
        rule(_NO_VALUE)
    except ValueError as error:
        words, _, _ = str(error).partition(", got ")
        if words.startswith("expected ") and repr(_NO_VALUE)[1:-1] not in words:
            return words.removeprefix("expected ")
    return "a text"


def text_that(rule: Callable[[str], object]) -> Reader:
    """A text that a rule has nothing to say against, kept as it is."""

    def check(text: str) -> str:
        rule(text)
        return text

    return by(check)


def all_of(reader: Reader) -> Reader:
    """A list whose values are read one by one."""

    def read(item: Item) -> Any:
        return tuple(value for value in map(reader, item.items()) if value is not NOTED)

    return read


def section(make: Callable[..., Any], readers: Mapping[str, Reader]) -> Reader:
    """A mapping with known keys; one whose value is empty has its default."""

    def read(item: Item) -> Any:
        values = {key: readers[key](child) for key, child in item.known(*readers).items() if not child.is_null}
        return make(**{key: value for key, value in values.items() if value is not NOTED})

    return read


def flag(item: Item) -> Any:
    value = item.boolean()
    return NOTED if value is None else value


SHORTEST_KEPT = 3600.0


def limit(text: str) -> float | None:
    """Go's clients take a timeout of nothing for no timeout."""
    return parse_duration(text) or None


def kept_for(text: str) -> float | None:
    """How long something is kept: C{90} would be a minute and a half, which nobody means, and what is gone is gone."""
    seconds = limit(text)
    if seconds is not None and seconds < SHORTEST_KEPT:
        raise ValueError("expected a duration such as 90d, an hour at least, or 0 for ever")
    return seconds


def flush_interval(text: str) -> float:
    """A negative one means at once in Go, which is what happens anyway."""
    return parse_duration(text.removeprefix("-"))


def positive_duration(text: str) -> float:
    """Seconds above nothing."""
    seconds = parse_duration(text)
    if not seconds:
        raise ValueError("expected a duration above nothing, such as 30s")
    return seconds


def count(smallest: int) -> Callable[[str], int]:
    """A whole number from C{smallest}."""

    def rule(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < smallest:
            raise ValueError(f"expected a whole number from {smallest}, got {text[:40]!r}")
        return int(text)

    return rule


def failure_status(text: str) -> int:
    """Below 400 nothing is a failure."""
    if not (text.isascii() and text.isdigit() and len(text) == 3) or not 400 <= int(text) <= 599:
        raise ValueError(f"expected a status from 400 to 599, got {text[:40]!r}")
    return int(text)


def size(smallest: int) -> Callable[[str], int]:
    """Bytes, from C{smallest}."""

    def rule(text: str) -> int:
        found = parse_size(text)
        if found < smallest:
            raise ValueError(f"expected a size from {smallest} bytes, got {text[:40]!r}")
        return found

    return rule


def size_or_none(text: str) -> int | None:
    """Bytes; nothing of them is no limit."""
    return parse_size(text) or None


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise ValueError(f"expected a number from 0 to 1, got {text[:40]!r}")
    return found


def one_of(*words: str) -> Callable[[str], str]:
    """One of a few words."""

    def rule(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}, got {text[:40]!r}")
        return text

    return rule


def none_for_zero(text: str) -> int | None:
    """A count, of which nothing is no limit."""
    return count(0)(text) or None


def a_file(item: Item) -> Any:
    """The path of a file that is there and can be read; of a pasted text any path."""
    return by(str if item.document.is_pasted else readable_file)(item)


def readable_file(text: str) -> str:
    """The path of a file that is there and can be read."""
    if not os.path.isfile(text):
        raise ValueError(f"expected a file, there is none at {text!r}")
    if not os.access(text, os.R_OK):
        raise ValueError(f"the file {text!r} cannot be read")
    return text
