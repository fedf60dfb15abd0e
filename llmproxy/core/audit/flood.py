"""Summaries of audit events that anybody can cause in any number: noted once a while, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define

WINDOW = 60.0
"""Seconds that a summary covers."""

MOST_KINDS = 32
"""Kinds that are counted apart within a window. With the summaries 65 records a minute at most, whatever comes."""

LOOKING = frozenset({"audit.list", "audit.show"})
"""Looking at the trail is noted in it; one who looks all day would else fill it by that."""

ANYBODY = frozenset({"proxy_request", "token.validate", "admin.access"})
"""What needs no credentials to be caused."""

Kind = tuple[str, ...]


def kind_of(action: str, actor: str, outcome: str, details: Mapping[str, Any]) -> Kind | None:
    """What counts as the same; C{None} for what is always noted by itself."""
    if action in LOOKING and outcome == "success":
        return action, actor, outcome, str(details.get("client_ip", ""))
    if actor == "anonymous" or (action in ANYBODY and outcome != "success"):
        names = ("client_ip", "reason", "error", "project_id", "token_id")
        return (action, actor, outcome, *(str(details.get(name, ""))[:64] for name in names))
    return None


@define
class Repeated:
    """
    @ivar count: how many were not noted by themselves.
    @ivar first: the time of the first of them, seconds since the epoch.
    """

    details: Mapping[str, Any]
    count: int
    first: float
    last: float


class Flood:
    """Lets the first of each kind in a window through, and counts the others."""

    def __init__(self, most_kinds: int = MOST_KINDS) -> None:
        self._most = most_kinds
        self._seen: set[Kind] = set()
        self._repeated: dict[Kind, Repeated] = {}

    def admit(self, kind: Kind, now: float, details: Mapping[str, Any]) -> bool:
        """Whether this one is to be noted by itself; if not, L{take} will tell of it."""
        if kind not in self._seen and len(self._seen) < self._most:
            self._seen.add(kind)
            return True
        known = kind in self._seen
        counted = kind if known else (*kind[:3], "others")
        repeated = self._repeated.get(counted)
        if repeated is None:
            self._repeated[counted] = Repeated(dict(details) if known else {}, 1, now, now)
        else:
            repeated.count += 1
            repeated.last = now
        return False

    def take(self) -> dict[Kind, Repeated]:
        """What was counted since the window began; another one begins."""
        repeated, self._repeated, self._seen = self._repeated, {}, set()
        return repeated
