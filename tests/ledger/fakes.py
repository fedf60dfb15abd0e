"""Fakes of the database, for tests of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, execute, fail, succeed
from zope.interface import implementer

from llmproxy.core.ledger.entry import Entry
from llmproxy.core.ledger.uses import Uses, owed
from llmproxy.core.quotas import Settlement
from llmproxy.interfaces import IOwedUses, IUsageRecords
from llmproxy.record import Record

WRITER = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


@implementer(IUsageRecords)
class FakeRecords:
    """
    Keeps entries by id, once.

    @ivar away: what every call fails with.
    @ivar poison: ids that no call with one of them takes.
    @ivar batches: how many there were in each call that was taken.
    @ivar held: a call waits for this.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Entry] = {}
        self.batches: list[int] = []
        self.away: Exception | None = None
        self.poison: set[str] = set()
        self.held: Deferred[None] | None = None

    def settle(self, batch: Sequence[Entry]) -> Deferred[Any]:
        if self.away is not None:
            return fail(self.away)
        if any(entry.id in self.poison for entry in batch):
            return fail(ValueError("out of range"))
        if self.held is not None:
            return self.held
        self.batches.append(len(batch))
        for entry in batch:
            self.kept.setdefault(entry.id, entry)
        return succeed(None)

    def endings(self) -> list[str]:
        """How those ended that are kept, in the order in which they came."""
        return [entry.ending for entry in self.kept.values()]


@implementer(IOwedUses)
class FakeOwed:
    """
    @ivar written: by writer and token, up to which sequence.
    """

    def __init__(self) -> None:
        self.written: dict[str, dict[str, int]] = {}
        self.settled: list[Settlement] = []
        self.forgotten: list[str] = []

    def settle(self, writer: str, uses: Uses) -> Deferred[Any]:
        mine = self.written.setdefault(writer, {})
        for each in owed(uses, mine, uses.tokens()):
            self.settled.append(each)
            mine[each.token_id] = each.upto
        return succeed(None)

    def forget(self, writer: str) -> Deferred[Any]:
        self.forgotten.append(writer)
        self.written.pop(writer, None)
        return succeed(None)


def at_once(call: Callable[[], Any]) -> Deferred[Any]:
    """In place of a thread."""
    return execute(call)


def a_record(**members: Any) -> Record:
    """Of a caller who is known."""
    known: dict[str, Any] = {"token_id": "t", "project_id": "p", "api": "openai", "ended": "complete", "status": 200}
    return Record("r-1", "POST", "/v1/x", "127.0.0.1", 1_800_000_000.0, **{**known, **members})
