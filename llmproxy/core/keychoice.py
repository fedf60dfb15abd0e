"""The choice of one key among several of an upstream, and the keys that are set aside."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from attrs import define, field

from ..apisettings import KeyBalance

MOST_KEYS = 10_000
"""Keys that are remembered; the one that was used first makes room for another."""

REST = {401: 60.0, 429: 20.0}
"""Seconds that a key is set aside after these statuses, where the answer does not say: invalid, or above its limit."""

MOST_REST = 600.0
"""Seconds that an answer can set a key aside for."""


@define(slots=True, eq=False)
class KeyRests:
    """
    Times are seconds of any steady clock. Nothing of it is ever shown: it holds keys.

    @ivar until: when a key that is set aside may be used again.
    """

    until: dict[str, float] = field(factory=dict, repr=False)
    _uses: OrderedDict[str, int] = field(factory=OrderedDict, repr=False)

    def rests(self, key: str, now: float) -> bool:
        """Whether a key is set aside."""
        at = self.until.get(key)
        if at is None:
            return False
        if now < at:
            return True
        del self.until[key]
        return False

    def count_aside(self, now: float) -> int:
        """How many keys are set aside."""
        return sum(now < at for at in self.until.values())

    def set_aside(self, key: str, status: int, retry_after: float | None, now: float) -> None:
        """
        Note an answer; 401 and 429 set its key aside, also that of an upstream that takes none, which is C{""}.

        @param retry_after: seconds, as the answer has it.
        """
        usual = REST.get(status)
        if usual is None:
            return
        if len(self.until) >= MOST_KEYS:
            self.until = {each: at for each, at in self.until.items() if now < at}
        if len(self.until) < MOST_KEYS or key in self.until:
            self.until[key] = now + min(MOST_REST, usual if retry_after is None else max(0.0, retry_after))

    def choose(self, keys: Sequence[str], how: KeyBalance, now: float) -> str:
        """
        The key of an attempt: one that is not set aside, or else the one that is so for the shortest time.

        @param keys: at least one, in the order of their priority.
        """
        if len(keys) == 1:
            return keys[0]
        # One that cannot be read is empty, and asked with only where there is no other.
        readable = [key for key in keys if key] or keys
        usable = [key for key in readable if not self.rests(key, now)]
        if not usable:
            return min(readable, key=lambda key: self.until.get(key, math.inf))
        if how == "priority":
            return usable[0]
        chosen = min(usable, key=lambda key: self._uses.get(key, 0))
        self._used(chosen, max(self._uses.get(key, 0) for key in usable) if how == "round_robin" else 0)
        return chosen

    def _used(self, key: str, least: int) -> None:
        """One that comes back takes its turn behind the others (C{round_robin}), or catches up (C{least_used})."""
        count = self._uses.pop(key, 0) + 1
        self._uses[key] = max(count, least)
        if len(self._uses) > MOST_KEYS:
            self._uses.popitem(last=False)
