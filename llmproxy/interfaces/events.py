"""Interfaces of events: who takes them, who brings them, and the contents that are made of what was captured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from ..core.events import Event
    from ..core.events.receipts import Receipt
    from ..core.events.sourced import Sourced


class IEventSink(Interface):
    """
    Takes events to a receiver. Making one opens nothing: what it needs is opened by the first batch.

    Its queue, filter, retries, spool and dead letters are around it (L{llmproxy.sinks.eventdelivery}), and none of its
    business.
    """

    def deliver(batch: Sequence[Event]) -> Deferred[Receipt | None]:
        """
        Have the receiver take C{batch}, at least one event, in its order. It is called again only when the Deferred has
        fired; cancelling that gives up the attempt.

        After a failure the same events come again: the receiver can tell by their C{id}.

        @return: fires when the receiver has them, with what it said; fails with
            L{llmproxy.core.events.receipts.PermanentFailure} if it never takes them, with
            L{llmproxy.core.events.receipts.PassingFailure} or anything else if it may later.
        """

    def close() -> Deferred[None]:
        """Close what is open; nothing is delivered any more. Also called where nothing ever was."""


class IEventSource(Interface):
    """A bus that others publish on, read by one consumer of a group."""

    def read(most: int) -> Deferred[Sequence[Sourced]]:
        """
        Up to C{most} events, as soon as there is one, or none after a while.
        Cancelling gives up the wait and loses nothing.
        """

    def acknowledge(ids: Sequence[str]) -> Deferred[None]:
        """Every sink has them, or their dead letters: they do not come again."""

    def waiting() -> Deferred[int]:
        """How many are in the bus and not acknowledged by the group."""

    def close() -> Deferred[None]:
        """Leave the bus; what was read and not acknowledged comes to another consumer."""


class IEventBus(Interface):
    """Events of this process, on their way to subscribers; each has a bounded queue of its own."""

    published = Attribute("how many were published")

    def publish(events: Sequence[Event]) -> None:
        """Hand them to every subscriber; never waits and never raises."""

    def subscribe(take: Callable[[Sequence[Event], Sequence[int] | None], object]) -> Callable[[], None]:
        """
        Have C{take} called with every batch, which must neither block nor keep the list, and with the sizes of the
        events in bytes where any has content.

        @return: call it to end that.
        """
