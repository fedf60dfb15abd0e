"""
Rules of redaction: by a path (C{$...}), by the name of a built-in pattern, or by an expression of the operator's own.

Expressions are run by C{regex}, which ends a search that takes too long and lets other threads run meanwhile; C{re} can
do neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ...apisettings import RedactRule
from .jsonpath import json_path
from .patterns import BUILT_IN, MARK

MISSING = "expressions need the package regex: pip install 'txllmproxy[redact]'"

MOST_RULES = 64
"""For one API: each reads every text."""

LONGEST = 1000
"""Characters of a rule."""


class TooSlow(Exception):
    """An expression was not done with a text in its time."""


def rule_of(value: Any) -> RedactRule:
    """
    What stands in a list C{redact}: C{"$.user"}, C{"email"}, C{{"regex": "..."}}.

    @raise ValueError: with what is not right.
    """
    if isinstance(value, Mapping):
        return _expression(value)
    if not isinstance(value, str):
        raise ValueError("expected a path ($.user), the name of a pattern, or {regex: ...}")
    if len(value) > LONGEST:
        raise ValueError(f"a rule has at most {LONGEST} characters")
    if value.startswith("$"):
        json_path(value)
        return RedactRule("path", value)
    if value not in BUILT_IN:
        raise ValueError(
            f"{value[:60]!r} is no pattern: the built-in ones are {', '.join(BUILT_IN)}; "
            "a path begins with $, an expression of your own is {regex: ...}"
        )
    return RedactRule("pattern", value)


def _expression(value: Mapping[Any, Any]) -> RedactRule:
    if set(value) != {"regex"} or not isinstance(value["regex"], str) or not value["regex"]:
        raise ValueError("expected {regex: ...} with an expression, and nothing beside it")
    text = value["regex"]
    if len(text) > LONGEST:
        raise ValueError(f"a rule has at most {LONGEST} characters")
    compiled = _compiled(text)
    if compiled.fullmatch("", timeout=1.0):
        raise ValueError(f"the expression {text[:60]!r} finds nothing at all: it would be found everywhere")
    return RedactRule("regex", text)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    """@raise ValueError: it is none, or nothing is there that could run it."""
    try:
        import regex
    except ImportError:
        raise ValueError(MISSING) from None
    try:
        return regex.compile(text)
    except regex.error as error:
        raise ValueError(f"{text[:60]!r} is no expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError(f"{text[:60]!r} is too large an expression") from None


def expression_of(rule: RedactRule) -> Callable[[str, float], str]:
    """
    What takes out of a text what an expression finds, given the seconds that it has.

    It raises L{TooSlow} when they are over.
    """
    compiled = _compiled(rule.text)

    def cleaned(text: str, seconds: float) -> str:
        if seconds <= 0:
            raise TooSlow
        try:
            without: str = compiled.sub(_mark, text, timeout=seconds, concurrent=True)
        except TimeoutError:
            raise TooSlow from None
        return without

    return cleaned


def _mark(found: Any) -> str:
    return MARK if found.end() > found.start() else ""
