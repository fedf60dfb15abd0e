"""
The contracts between the database and the stores in it.

Each store is made with a database and asks it for no more than this; L{llmproxy.store.database.Database} has all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from twisted.internet.defer import Deferred

T = TypeVar("T")


class ITransactions(Protocol):
    """
    Calls with a connection, on a thread of the database, each in a transaction that ends with it.

    They fail with what the call raises, with L{llmproxy.errors.Unavailable} if the database does. Cancelling forgets
    the result only.
    """

    def run(self, call: Callable[[Connection], T]) -> Deferred[T]:
        """
        One that may write.

        Fails with L{llmproxy.errors.OutcomeUnknown}, too: the database failed at the very end.
        """

    def read(self, call: Callable[[Connection], T]) -> Deferred[T]:
        """One that only reads: it does not wait for writers."""


class INotedTransactions(ITransactions, Protocol):
    """Those whose changes other processes learn of."""

    def note(self, connection: Connection, what: str, which: str) -> None:
        """Write down a change, in the transaction of C{connection}; see L{llmproxy.store.changes}."""


class ISharedDatabase(ITransactions, Protocol):
    """A database that other processes may write to."""

    @property
    def is_shared(self) -> bool:
        """Whether another process can open it."""

    def listen(self, channel: str, woken: Callable[[], object]) -> Any:
        """What calls C{woken} when a change was written, where the database tells; it has C{start} and C{stop}."""
