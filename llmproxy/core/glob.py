"""Shell patterns for the values of parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """
    One expression that matches what any of C{patterns} does, to be used with C{fullmatch}.

    C{*} is any text, C{/} included; C{?} one character; C{[a-z]} and C{[!a-z]} one of a set. A bracket
    that is never closed stands for itself.
    """
    return re.compile("|".join(f"(?:{_expression(pattern)})" for pattern in patterns) or r"(?!)", re.DOTALL)


def _expression(pattern: str) -> str:
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            parts.append(".*")
        elif character == "?":
            parts.append(".")
        elif character == "[":
            end = pattern.find("]", at + 2 if pattern[at : at + 1] in ("!", "^") else at + 1)
            if end < 0:
                parts.append(r"\[")
            else:
                parts.append(_set(pattern[at:end]))
                at = end + 1
        else:
            parts.append(re.escape(character))
    return "".join(parts)


def _set(content: str) -> str:
    negated = content[:1] in ("!", "^")
    members = content[1:] if negated else content
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
    return f"[{'^' if negated else ''}{escaped}]"
