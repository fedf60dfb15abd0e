"""
Text search in columns, in any case of letters, the same on all three databases.

C{lower()} of SQLite knows ASCII alone, and PostgreSQL's what its locale knows. So a text with other letters becomes a
regular expression that names both cases of each; SQLAlchemy has it on all three.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import func

_SIGMAS = frozenset("Σσς")
"""The one letter with two lower cases."""


def contains(column: Any, text: str) -> Any:
    """The rows in whose C{column} C{text} is: each character stands for itself, in either case if it is a letter."""
    if text.isascii():
        return func.lower(column).contains(text.lower(), autoescape=True)
    return column.regexp_match(pattern_of(text))


def pattern_of(text: str) -> str:
    """
    A regular expression that finds C{text}, in the syntax that Python, PostgreSQL, MariaDB and MySQL share.

    Characters that are not ASCII are found as JSON escapes too (C{\\u00e4}): so they stand in columns of JSON.
    """
    return "".join(map(_character, text))


def _character(character: str) -> str:
    cases = {character, character.lower(), character.upper(), character.title(), character.upper().lower()}
    if cases & _SIGMAS:
        cases |= _SIGMAS
    spellings = sorted(each for each in cases if len(each) == 1)
    if character.isascii():
        return f"[{''.join(spellings)}]" if character.isalpha() else re.escape(character)
    return f"({'|'.join([*spellings, *map(_escaped, spellings)])})"


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
