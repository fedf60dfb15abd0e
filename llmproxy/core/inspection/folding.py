"""
Names as the most generous reader compares them.

Go's C{encoding/json} takes a member whose name differs only in case, by Unicode's simple folding (U+212A is a C{k},
U+017F an C{s}); its version 2 and the JSON of Protocol Buffers see no difference between C{max_tokens} and
C{maxTokens}; PHP writes C{_} for blanks and dots in the names of fields, takes C{model[]} for C{model}; and what is
written in C ends a name at NUL. A name that any of these takes for that of a rule is judged by the rule.
"""

from __future__ import annotations

_IGNORED = {ord(character): None for character in "_-"}
_IGNORED_IN_FIELDS = {ord(character): None for character in "_- ."}


def member(name: str) -> str:
    """The name of a member of a JSON object, folded."""
    return name.partition("\0")[0].casefold().translate(_IGNORED)


def field(name: str) -> str:
    """The name of a field of a form or a query, folded."""
    return name.partition("\0")[0].partition("[")[0].strip().casefold().translate(_IGNORED_IN_FIELDS)
