"""
Cuts: the beginnings of chains that were taken out of the database on purpose, and what is known of them afterwards.

A cut is a record of the log like any other (L{CUT}), written before anything is taken out: it names the chains, and the
number and the hash of the last record of each that goes. So what is missing without one was taken out by somebody else.
Everything that is older than its C{before} may be gone, and chains of which nothing is left are forgotten; that one was
old enough is seen by the time at which others found it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from .chain import Anchor
from .record import AuditRecord, microseconds, rfc3339

CUT = "audit.cut"

MOST_CHAINS = 16
"""Chains that one record names."""


@frozen
class Cut:
    """
    @ivar before: microseconds since the epoch; only what is older goes.
    @ivar ends: by chain, the last record that goes.
    """

    before: int
    ends: Mapping[str, Anchor] = field(factory=dict)

    def details(self) -> dict[str, Any]:
        """What the record says."""
        return {
            "before": rfc3339(self.before),
            "chains": {chain: [end.count, end.head] for chain, end in self.ends.items()},
        }

    def parts(self) -> list[Cut]:
        """The same in records that name at most L{MOST_CHAINS} each."""
        ends = list(self.ends.items())
        starts = range(0, len(ends) or 1, MOST_CHAINS)
        return [Cut(self.before, dict(ends[start : start + MOST_CHAINS])) for start in starts]


@frozen
class Mention:
    """
    The head of a chain as another one found it when it began.

    @ivar at: when the chain had been written to last, microseconds since the epoch; C{None} where nobody said so.
    """

    anchor: Anchor
    at: int | None = None


def cut_of(record: AuditRecord) -> Cut | None:
    """What a record says of a cut; C{None} if it is about something else, or cannot be understood."""
    chains = record.details.get("chains")
    if record.action != CUT or not isinstance(chains, Mapping):
        return None
    try:
        before = microseconds(str(record.details.get("before")))
    except ValueError:
        return None
    return Cut(before, {chain: Anchor(chain, *value) for chain, value in chains.items() if _is_end(value)})


def mentions_in(record: AuditRecord) -> list[Mention]:
    """The heads of other chains in a record that begins one."""
    heads = record.details.get("heads")
    found = []
    for chain, value in heads.items() if isinstance(heads, Mapping) else ():
        if isinstance(value, list) and _is_end(value[:2]) and (len(value) == 2 or type(value[2]) is int):
            found.append(Mention(Anchor(chain, value[0], value[1]), value[2] if len(value) > 2 else None))
    return found


class Cuts:
    """
    All cuts of a log.

    @ivar before: of the latest; 0 if there is none.
    """

    def __init__(self, cuts: Iterable[Cut] = ()) -> None:
        self.before = 0
        self._ends: dict[str, dict[int, str]] = {}
        for cut in cuts:
            self.before = max(self.before, cut.before)
            for chain, end in cut.ends.items():
                self._ends.setdefault(chain, {})[end.count] = end.head

    @property
    def chains(self) -> list[str]:
        return list(self._ends)

    def until(self, chain: str) -> int:
        """The number of the last record of a chain that may be gone; 0 if all have to be there."""
        return max(self._ends.get(chain, {0: ""}))

    def head(self, chain: str, count: int) -> str | None:
        """The hash of a record that was the last to go."""
        return self._ends.get(chain, {}).get(count)

    def excuse(self, mention: Mention) -> bool:
        """Whether a chain of which nothing is left may be gone, as far as this mention of it goes."""
        old = mention.at is not None and mention.at < self.before
        return old or mention.anchor.count <= self.until(mention.anchor.chain)


def _is_end(value: Any) -> bool:
    return isinstance(value, list) and list(map(type, value)) == [int, str]
