"""Interfaces of the ledger: to the chain, which notes exchanges in it, and to the database, which keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from zope.interface import Interface

if TYPE_CHECKING:
    from ..core.ledger.entry import Entry
    from ..core.ledger.uses import Uses
    from ..record import Record


class ILedger(Protocol):
    """What the chain notes; each call costs a few microseconds, and what it noted outlives the process."""

    def begin(self, record: Record, *, leased: bool) -> None:
        """
        An exchange goes on to upstream, and has used up a request of its token.

        @param leased: a leased one, see L{llmproxy.core.quotas}.
        """

    def learn(self, record: Record) -> None:
        """More is known of an exchange that has begun, as its body has said it; nothing if it is not open."""

    def is_open(self, record: Record) -> bool:
        """Whether it has begun and not ended."""

    def give_back(self, record: Record, *, leased: bool) -> None:
        """The use of an exchange that is open was given back: nothing was sent."""


class IUsageRecords(Interface):
    """Records of what was used, at rest."""

    def settle(batch: Sequence[Entry]) -> Deferred[Any]:
        """
        Keep entries, and add them up, in one transaction. One whose id is known already changes nothing, so that the
        same may be given again.
        """


class IOwedUses(Interface):
    """Uses of tokens that a process has noted, and did not live to write down."""

    def settle(writer: str, uses: Uses) -> Deferred[Any]:
        """Write down what is owed of C{uses}; the same may be given again."""

    def forget(writer: str) -> Deferred[Any]:
        """Nothing that C{writer} has noted is there any more."""
