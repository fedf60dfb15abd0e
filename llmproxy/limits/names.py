"""Names of limits in Redis, and the bounds of their windows as its scripts take them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.limits.values import Rule

_TAG = b"{limits}:"
"""In a cluster, the keys of one script have to be in one place; those of all limits are."""


class Names:
    """@param prefix: what all keys begin with."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix + _TAG

    def of(self, rules: Iterable[Rule]) -> tuple[bytes, ...]:
        """Two for each: only a budget has a second one."""
        names = [self._prefix + rule.key.encode() for rule in rules]
        return tuple(name for each in names for name in (each, each + b":held"))

    def process(self, name: str) -> bytes:
        """Where the last batch of a process is noted."""
        return self._prefix + b"settled:" + name.encode()


def bounds(rule: Rule, now: float) -> tuple[bytes, bytes]:
    """Begin and end of the window of a budget, seconds; nothing for others, and for an end that does not come."""
    if rule.kind != "money":
        return b"", b""
    begin, end = rule.span(now)
    return f"{begin:.3f}".encode(), b"" if end is None else f"{end:.3f}".encode()
