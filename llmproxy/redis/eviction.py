"""Eviction of keys by a Redis that has no memory left: what counts must be spared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .commands import command

if TYPE_CHECKING:
    from .pool import RedisPool

INFO = command(b"INFO", b"memory")

SPARING = "noeviction"

_POLICY = re.compile(rb"^maxmemory_policy:([a-z-]{1,40})\r?$", re.MULTILINE)


def policy_of(info: Any) -> str:
    """C{maxmemory-policy}, of what C{INFO memory} says; C{""} where it does not."""
    found = _POLICY.search(info) if isinstance(info, bytes) else None
    return "" if found is None else found[1].decode()


def warning_of(policy: str, label: str) -> str:
    """A sentence for the operator; C{""} where nothing is evicted, or that is not known."""
    if policy in ("", SPARING):
        return ""
    remedy = f"CONFIG SET maxmemory-policy {SPARING}"
    return f"{label}: maxmemory-policy is {policy}, and limits that it evicts begin anew ({remedy})"


class EvictionWatch:
    """
    Asks each time when Redis is connected.

    @param label: of that Redis, without credentials.
    """

    def __init__(self, pool: RedisPool, label: str) -> None:
        self._pool = pool
        self._label = label
        self._warning = ""
        pool.when_connected(self._ask)

    def warnings(self) -> list[str]:
        """What is not as it should be now."""
        if not self._pool.available:
            return [f"{self._label}: does not answer: on_store_failure says what holds"]
        return [self._warning] if self._warning else []

    def _ask(self) -> None:
        # Not allowed to ask, or away again: then it is not known.
        self._pool.call(INFO).addCallbacks(self._answered, lambda _: None)

    def _answered(self, info: Any) -> None:
        before, self._warning = self._warning, warning_of(policy_of(info), self._label)
        if self._warning and self._warning != before:
            self._pool.say(self._warning)
