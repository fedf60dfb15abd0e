"""The field C{X-LLMProxy-Tags}: what a request is for, as C{team=search, feature=summary}."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

MOST_TAGS = 16
LONGEST_NAME = 40
LONGEST_VALUE = 120
"""How many a request may have, and their characters: each is a group of a report, and none is a text."""

NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
"""In lower case, as it is kept."""

LONGEST = 4096
"""Bytes of all of it."""

_PART = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*")*')
"""One of the list: a comma within quotes does not end it."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def tags_of(values: Iterable[bytes], allowed: Collection[str] | None = None) -> dict[str, str]:
    """
    The tags by their names, which are in lower case whatever was written; those of several fields are one list, RFC
    9110 section 5.3. A value with a comma stands in quotes.

    @param allowed: the names that may be used; C{None} is all.
    @raise ValueError: something is not right: a tag that would be left out would be missed in a report.
    """
    found: dict[str, str] = {}
    for text in map(_text, values):
        for part in _parts(text):
            name, equals, value = (each.strip(" \t") for each in part.partition("="))
            if not equals:
                raise ValueError(f"expected NAME=VALUE, got {part.strip()[:60]!r}")
            _add(found, name.lower(), _unquoted(value), allowed)
    return found


def _parts(text: str) -> list[str]:
    """Those that are not empty, which RFC 9110 section 5.6.1 lets everybody leave out."""
    found, at = [], 0
    while at < len(text):
        part = _PART.match(text, at)
        assert part is not None, "it matches nothing, too"
        at = part.end()
        if at < len(text) and text[at] != ",":
            raise ValueError(f"a quote is not closed in {text[part.start() : part.start() + 60]!r}")
        found.append(part[0])
        at += 1
    return [part for part in found if part.strip(" \t")]


def _unquoted(value: str) -> str:
    if '"' not in value:
        return value
    quoted = _QUOTED.fullmatch(value)
    if quoted is None:
        raise ValueError(f"expected a value, or all of it in quotes, got {value[:60]!r}")
    return re.sub(r"\\(.)", r"\1", quoted[1])


def _text(value: bytes) -> str:
    if len(value) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} bytes")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8") from None


def _add(found: dict[str, str], name: str, value: str, allowed: Collection[str] | None) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"a name is a letter and up to {LONGEST_NAME - 1} letters, digits, '.', '_', '-', not {name[:60]!r}"
        )
    if not value:
        raise ValueError(f"{name} has no value")
    if len(value) > LONGEST_VALUE or not value.isprintable():
        raise ValueError(
            f"the value of {name} is longer than {LONGEST_VALUE} characters, or has some that do not print"
        )
    if name in found:
        raise ValueError(f"{name} stands there twice")
    if allowed is not None and name not in allowed:
        raise ValueError(f"{name} is not one of the names that may be used: {', '.join(sorted(allowed)) or 'none'}")
    if len(found) >= MOST_TAGS:
        raise ValueError(f"there are more than {MOST_TAGS}")
    found[name] = value
