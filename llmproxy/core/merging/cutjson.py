"""
A piece of JSON that was cut, with its end put right: what was whole by then, and the part of a text that was there.

What is kept of a long body ends anywhere. This is read as JSON so that it can be searched, and what is to be taken out
of it can be found, as in a whole one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
      (?P<text>"[^"\\]*(?:\\.[^"\\]*)*")
    | (?P<open>[{\[])
    | (?P<close>[}\]])
    | (?P<between>[,:])
    | (?P<plain>[^\s,:{}\[\]"]+)(?=[\s,}\]])
    )""",
    re.VERBOSE | re.DOTALL,
)
_BEGUN = re.compile(
    r"""[ \t\n\r]*"[^"\\]*(?:(?:
      \\[^u]
    | \\u(?![dD][89abAB])[0-9a-fA-F]{4}
    | \\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
    )[^"\\]*)*""",
    re.VERBOSE | re.DOTALL,
)
"""A text up to where it is cut, without half an escape."""

DEEPEST = 200
"""Brackets within each other; nothing that is sent to a model comes near."""


MOST_TOKENS = 200_000
"""Each takes a microsecond."""


class TooLong(ValueError):
    """More of either than that."""


class Completed(NamedTuple):
    """@ivar is_text_cut: the last text in it was not whole."""

    text: str
    is_text_cut: bool


def completed(text: str) -> Completed | None:
    """
    The same, cut where something ends and with what is open closed.

    @return: C{None} where that makes no JSON, as far as can be seen: it may still be none.
    @raise TooLong: it is nested too deeply, or has too much in it, to be read.
    """
    # What is open; where the last value ended, and what was open there; whether a value may stand next.
    closers: list[str] = []
    end, closed = 0, ""
    wants_value, at, left = True, 0, MOST_TOKENS
    while (token := _TOKEN.match(text, at)) is not None:
        left -= 1
        if not left:
            raise TooLong("too much in it")
        at = token.end()
        kind = token.lastgroup
        if kind == "open":
            closers.append("}" if token["open"] == "{" else "]")
            if len(closers) > DEEPEST:
                raise TooLong("nested too deeply")
            wants_value = token["open"] == "["
            end, closed = at, "".join(reversed(closers))
        elif kind == "close":
            if not closers or closers.pop() != token["close"]:
                return None
            wants_value = False
            end, closed = at, "".join(reversed(closers))
        elif kind == "between":
            wants_value = token["between"] == ":" or (bool(closers) and closers[-1] == "]")
        elif wants_value:
            wants_value = False
            end, closed = at, "".join(reversed(closers))
    begun = _BEGUN.match(text, at) if wants_value else None
    if begun is not None:
        return Completed(text[: begun.end()] + '"' + "".join(reversed(closers)), True)
    return Completed(text[:end] + closed, False) if end else None
