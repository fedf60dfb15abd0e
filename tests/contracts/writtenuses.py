"""What is owed by processes that died, whatever the database."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import select
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.core.ledger.uses import Use, Uses
from llmproxy.core.quotas import Settlement
from llmproxy.interfaces import IOwedUses
from llmproxy.store.database import Database
from llmproxy.store.identity import identity_of
from llmproxy.store.lostleases import LOST_AFTER, LostLeases
from llmproxy.store.schema import leases, tokens, written_uses
from llmproxy.store.writtenuses import FORGOTTEN_AFTER, OwedUses

from ..store.databases import NOW, clock_at, project, token

OTHER = "fedcba9876543210fedcba9876543210"


class WrittenUsesContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.done(self.database.projects.create(project()))
        self.owed = OwedUses(self.clock, self.database)

    def issue(self, token_id: str = "t1", **changes: Any) -> None:
        self.done(self.database.tokens.create(token(token_id, **changes)))

    def dies(self, used: int, written: int, *, leased: bool = False, token_id: str = "t1") -> Uses:
        """A process took so many uses, wrote down the first of them, and was killed."""
        uses = Uses()
        for sequence in range(1, used + 1):
            uses.add(token_id, Use(sequence, 1, leased), NOW + sequence)
        self.database.usage.holder, mine = OTHER, self.database.usage.holder
        released = written if leased else 0
        if leased:
            self.done(self.database.usage.lease(Settlement(token_id, 0, 0, None), used, 128, uuid4().hex))
        self.write(Settlement(token_id, written, released, NOW + written, written))
        self.database.usage.holder = mine
        return uses

    def write(self, settlement: Settlement) -> None:
        self.done(self.database.usage.settle([settlement], uuid4().hex))

    def numbers(self, token_id: str = "t1") -> tuple[int, int, int]:
        """C{request_count}, C{leased}, C{reserved_lost}."""
        query = select(tokens.c.request_count, tokens.c.leased, tokens.c.reserved_lost).where(tokens.c.id == token_id)
        return tuple(self.done(self.database.read(lambda connection: connection.execute(query).one())))

    def rows(self, table: Any) -> int:
        return len(self.done(self.database.read(lambda connection: connection.execute(select(table)).all())))

    def test_owed(self) -> None:
        """What was used and not written down is written down, once, however often it is given."""
        verifyObject(IOwedUses, self.owed)
        self.issue()
        uses = self.dies(10, 4)
        for _ in range(3):
            self.done(self.owed.settle(OTHER, uses))
        assert self.numbers() == (10, 0, 0), self.numbers()
        shown = self.done(self.database.tokens.get("t1"))
        assert shown.last_used_at == NOW + 10, shown

    def test_nothing_written(self) -> None:
        """One that died before it wrote down anything owes all of it; one that wrote all of it owes nothing."""
        self.issue("a")
        self.issue("b")
        for token_id, written in (("a", 0), ("b", 5)):
            uses = self.dies(5, written, token_id=token_id) if written else Uses()
            if not written:
                for sequence in range(1, 6):
                    uses.add(token_id, Use(sequence, 1, False), NOW)
            self.done(self.owed.settle(OTHER, uses))
            assert self.numbers(token_id)[0] == 5, token_id

    def test_leased(self) -> None:
        """What was spent of a lease is not leased any more; what nobody spent stays so, and is called lost."""
        self.issue(max_requests=1000)
        uses = self.dies(10, 4, leased=True)
        held = self.numbers()[1] + 4
        self.done(self.owed.settle(OTHER, uses))
        assert self.numbers() == (10, held - 10, 0), self.numbers()
        self.clock.advance(LOST_AFTER + 1)
        self.done(LostLeases(self.clock, self.database, self.database.usage).look())
        assert self.numbers() == (10, held - 10, held - 10), self.numbers()

    def test_lost_meanwhile(self) -> None:
        """Leases that were called lost before somebody knew what was spent of them are taken out again."""
        self.issue(max_requests=1000)
        uses = self.dies(10, 4, leased=True)
        held = self.numbers()[1] + 4
        self.clock.advance(LOST_AFTER + 1)
        self.done(LostLeases(self.clock, self.database, self.database.usage).look())
        assert self.numbers() == (4, held - 4, held - 4), self.numbers()
        self.done(self.owed.settle(OTHER, uses))
        assert self.numbers() == (10, held - 10, held - 10), self.numbers()
        assert self.rows(leases) == 0

    def test_given_back(self) -> None:
        """Uses that were given back after they had been written down are taken off."""
        self.issue()
        uses = self.dies(5, 5)
        uses.add("t1", Use(6, -1, False))
        self.done(self.owed.settle(OTHER, uses))
        assert self.numbers() == (4, 0, 0), self.numbers()

    def test_token_that_is_gone(self) -> None:
        """One that was removed has no uses, and keeps no other from having them."""
        self.issue("b")
        uses = self.dies(2, 0, token_id="b")
        uses.add("gone", Use(3, 1, True), NOW)
        self.done(self.owed.settle(OTHER, uses))
        assert self.numbers("b") == (2, 0, 0)

    def test_many(self) -> None:
        """More tokens than one statement takes."""
        self.issue("x0001")
        uses = Uses()
        for number in range(1200):
            uses.add(f"x{number:04}", Use(number + 1, 1, False), NOW)
        self.done(self.owed.settle(OTHER, uses))
        assert self.numbers("x0001")[0] == 1

    def test_forgotten(self) -> None:
        """What was noted of a process goes with its files, or long after nobody has found those."""
        self.issue()
        self.dies(5, 5)
        self.write(Settlement("t1", 1, 0, NOW, 1))
        assert self.rows(written_uses) == 2
        self.done(self.owed.forget(OTHER))
        assert self.rows(written_uses) == 1
        self.clock.advance(FORGOTTEN_AFTER + 1)
        self.done(self.owed.forget(OTHER))
        assert self.rows(written_uses) == 0

    def test_without_a_ledger(self) -> None:
        """Where nothing is noted elsewhere, nothing is remembered here."""
        self.issue()
        self.write(Settlement("t1", 1, 0, NOW))
        assert self.rows(written_uses) == 0

    def test_identity(self) -> None:
        """A database has one id, whoever asks and however often."""
        ids = {self.done(_awaited(identity_of(self.database))) for _ in range(3)}
        assert len(ids) == 1 and all(len(each) == 32 for each in ids), ids


def _awaited(call: Any) -> Any:

    return Deferred.fromCoroutine(call)
