"""
Uses of tokens that a process has noted in the ledger, and of which nobody has written down that they were used.

L{llmproxy.core.quotas} counts uses in memory and writes them down at intervals, each time with the sequence that the
ledger had come to. What a process that died has noted behind that sequence is owed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field, frozen

from ..quotas import Settlement


@frozen
class Use:
    """
    @ivar sequence: its place among all uses and returns of its process, from 1.
    @ivar count: 1 for one that was spent, -1 for one that was given back.
    @ivar leased: it was taken from a lease.
    """

    sequence: int
    count: int
    leased: bool


@define(eq=False)
class Uses:
    """
    Those of one process by token, eight bytes each.

    @ivar last_used_at: by token, seconds since the epoch.
    """

    _of: dict[str, array[int]] = field(factory=dict)
    last_used_at: dict[str, float] = field(factory=dict)

    def add(self, token_id: str, use: Use, at: float | None = None) -> None:
        """@param at: when it was spent, seconds since the epoch."""
        known = self._of.get(token_id)
        if known is None:
            known = self._of[token_id] = array("q")
        known.append(use.sequence << 2 | (use.count < 0) << 1 | use.leased)
        if at is not None:
            self.last_used_at[token_id] = max(at, self.last_used_at.get(token_id, 0.0))

    def of(self, token_id: str) -> Iterable[Use]:
        """Those of one token, in their order."""
        return [Use(each >> 2, -1 if each & 2 else 1, bool(each & 1)) for each in self._of.get(token_id, ())]

    def tokens(self) -> list[str]:
        """The ids of all that were used, sorted."""
        return sorted(self._of)


def owed(uses: Uses, written: Mapping[str, int], tokens: Sequence[str]) -> list[Settlement]:
    """
    What is to be written down still, in the order of C{tokens}.

    @param written: by token, up to which sequence it has been written down.
    """
    return [each for each in (_owed(uses, token, written.get(token, 0)) for token in tokens) if each is not None]


def _owed(uses: Uses, token_id: str, written: int) -> Settlement | None:
    late = [each for each in uses.of(token_id) if each.sequence > written]
    if not late:
        return None
    used = sum(each.count for each in late)
    released = sum(each.count for each in late if each.leased)
    last = uses.last_used_at.get(token_id) if used else None
    return Settlement(token_id, used, released, last, max(each.sequence for each in late))
