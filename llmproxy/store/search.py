"""
Text search in columns, in any case of letters, the same on all three databases.

C{lower()} of SQLite knows ASCII alone, and PostgreSQL's what its locale knows. So a text with other letters becomes a
regular expression that names both cases of each; SQLAlchemy has it on all three. SQLite has it from Python, which is
slow in front of many rows: there C{GLOB} does the same.
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
        everywhere = func.lower(column).contains(text.lower(), autoescape=True)
        return _on_sqlite(everywhere, column.contains(text, autoescape=True))
    return column.regexp_match(pattern_of(text))


def contains_plain(column: Any, text: str) -> Any:
    """As L{contains}, in a column that is no JSON: SQLite finds it without a call of Python for each row."""
    if text.isascii():
        return contains(column, text)
    return _on_sqlite(column.regexp_match(pattern_of(text)), column.op("GLOB", is_comparison=True)(glob_of(text)))


def _on_sqlite(elsewhere: Any, there: Any) -> Any:
    # A proxy at rest has no need of what it takes to have statements of one's own.
    from .onsqlite import OnSQLite

    return OnSQLite(elsewhere, there)


def glob_of(text: str) -> str:
    """What C{GLOB} of SQLite finds C{text} by; it is exact about cases."""
    return f"*{''.join(map(_choice, text))}*"


def _choice(character: str) -> str:
    spellings = _spellings(character)
    # In a set only a caret at its beginning, and the bracket that ends it, mean anything; outside these two do not.
    return character if spellings == ["^"] or spellings == ["]"] else f"[{''.join(spellings)}]"


def pattern_of(text: str) -> str:
    """
    A regular expression that finds C{text}, in the syntax that Python, PostgreSQL, MariaDB and MySQL share.

    Characters that are not ASCII are found as JSON escapes too (C{\\u00e4}): so they stand in columns of JSON.
    """
    return "".join(map(_character, text))


def _character(character: str) -> str:
    spellings = _spellings(character)
    if character.isascii():
        return f"[{''.join(spellings)}]" if character.isalpha() else re.escape(character)
    return f"({'|'.join([*spellings, *map(_escaped, spellings)])})"


def _spellings(character: str) -> list[str]:
    cases = {character, character.lower(), character.upper(), character.title(), character.upper().lower()}
    if cases & _SIGMAS:
        cases |= _SIGMAS
    return sorted(each for each in cases if len(each) == 1)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
