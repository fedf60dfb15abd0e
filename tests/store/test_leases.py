"""Quotas that are spent exactly, whatever fails."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.quotas import Account
from llmproxy.errors import OutcomeUnknown, RateLimitExceeded, TokenInactive, TokenNotFound, Unavailable
from llmproxy.interfaces import IQuota
from llmproxy.message import Principal, Token
from llmproxy.store.database import Database
from llmproxy.store.leases import SPENT_FOR, LeasedQuota, _Holding

from ..tables import row
from .databases import NOW, clock_at, opened, project, token


class SlowUsage:
    """The usage of a real database, whose answers the test lets go one by one, or makes fail."""

    def __init__(self, usage: Any) -> None:
        self._usage = usage
        self.held: list[tuple[Deferred[Any], Any]] = []
        self.failure: Exception | None = None
        self.fails_after = False

    def lease(self, *arguments: Any) -> Deferred[Any]:
        return self._later(lambda: self._usage.lease(*arguments))

    def happened(self, name: str) -> Deferred[Any]:
        return self._usage.happened(name)

    def settle(self, settlements: Any, name: str) -> Deferred[Any]:
        if self.failure is not None:
            if self.fails_after:
                self._usage.settle(settlements, name)
            failed: Deferred[Any] = Deferred()
            failed.errback(self.failure)
            return failed
        return self._usage.settle(settlements, name)

    def _later(self, call: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.held.append((answer, call()))
        return answer

    def release(self) -> None:
        answer, result = self.held.pop(0)
        result.chainDeferred(answer)


class Wrapped:
    def __init__(self, usage: Any) -> None:
        self.usage = usage


class LeasedQuotaCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.successResultOf(self.database.projects.create(project()))
        self.quota = self.started(self.database)

    def started(self, database: Any, clock: Clock | None = None) -> LeasedQuota:
        quota = LeasedQuota(clock or self.clock, database)
        quota.start()
        self.addCleanup(lambda: quota._loop.running and quota._loop.stop())
        return quota

    def principal(self, limit: int | None, token_id: str = "t1", **changes: Any) -> Principal:
        made = token(token_id, max_requests=limit, **changes)
        self.successResultOf(self.database.tokens.create(made))
        return Principal(made, project())

    def changed(self, principal: Principal, **changes: Any) -> Principal:
        stored = self.successResultOf(self.database.tokens.update(principal.token.id, **changes))
        return Principal(stored, principal.project)

    def spend(self, quota: LeasedQuota, principal: Principal) -> bool:
        spending = quota.spend(principal)
        if spending is None or (spending.called and not self._failed(spending)):
            return True
        self.failureResultOf(spending, RateLimitExceeded)
        return False

    @staticmethod
    def _failed(spending: Deferred[None]) -> bool:
        return spending.result is not None

    def spend_all(self, principal: Principal, *quotas: LeasedQuota) -> int:
        """Spend in turn until nobody gets one any more."""
        spent = 0
        while taken := sum(self.spend(quota, principal) for quota in quotas):
            spent += taken
        return spent

    def stored(self, token_id: str = "t1") -> Token:
        return self.successResultOf(self.database.tokens.get(token_id))

    def leased(self, database: Database | None = None) -> int:
        query = text("SELECT leased FROM tokens WHERE id = 't1'")
        return self.successResultOf((database or self.database).read(lambda connection: connection.scalar(query)))


class ExactTests(LeasedQuotaCase):
    def test_interface(self) -> None:
        verifyObject(IQuota, self.quota)

    def test_exact(self) -> None:
        """A quota of 1000 is answered 1000 times, for a fraction of that in statements."""
        principal = self.principal(1000)
        before = self.database.statements
        self.assertEqual(self.spend_all(principal, self.quota), 1000)
        self.assertLess(self.database.statements - before, 850)
        self.successResultOf(self.quota.flush())
        self.assertEqual((self.stored().request_count, self.leased()), (1000, 0))

    def test_one(self) -> None:
        """A quota of one is one."""
        self.assertEqual(self.spend_all(self.principal(1), self.quota), 1)

    def test_two_processes(self) -> None:
        """Two processes that share a file answer a quota of 1000 exactly 1000 times between them."""
        path = self.mktemp()
        self.database = opened(self, path, clock=self.clock)
        self.successResultOf(self.database.projects.create(project()))
        principal = self.principal(1000)
        quotas = [self.started(opened(self, path, clock=self.clock)) for _ in range(2)]
        self.assertEqual(self.spend_all(principal, *quotas), 1000)

    def test_check(self) -> None:
        """Asking whether a use is left takes none, and asks the database only where nothing is leased."""
        principal = self.principal(2)
        for _ in range(5):
            checking = self.quota.check(principal)
            self.assertTrue(checking is None or self.successResultOf(checking) is None)
        unlimited = self.principal(None, "t2")
        before = self.database.statements
        self.assertIsNone(self.quota.check(principal))
        self.assertIsNone(self.quota.check(unlimited))
        self.assertEqual(self.database.statements, before)
        self.assertEqual(self.spend_all(principal, self.quota), 2)
        self.failureResultOf(self.quota.check(principal), RateLimitExceeded)

    def test_warm(self) -> None:
        """A use from a lease, or without a limit, asks the database nothing."""
        limited, unlimited = self.principal(10_000), self.principal(None, "t2")
        self.spend(self.quota, limited)
        before = self.database.statements
        for _ in range(50):
            self.assertIsNone(self.quota.spend(limited))
            self.assertIsNone(self.quota.spend(unlimited))
        self.assertEqual(self.database.statements, before)

    def test_spent_is_remembered(self) -> None:
        """A client that goes on after its quota is spent does not cost the database anything, for a while."""
        principal = self.principal(1)
        self.spend_all(principal, self.quota)
        before = self.database.statements
        self.assertFalse(self.spend(self.quota, principal))
        self.assertEqual(self.database.statements, before)
        self.changed(principal, max_requests=2)
        self.clock.advance(SPENT_FOR)
        self.assertTrue(self.spend(self.quota, principal))

    def test_crash(self) -> None:
        """What a killed process had leased is lost, and no more; nothing is answered twice."""
        principal = self.principal(200)
        for _ in range(7):
            self.assertTrue(self.spend(self.quota, principal))
        charged = self.stored().request_count + self.leased()
        after = self.spend_all(principal, self.started(self.database))
        self.assertEqual(after, 200 - charged)
        self.assertLessEqual(charged - 7, 6)

    def test_stop(self) -> None:
        """Stopping writes down what was used and hands back the rest: the next process can spend all of it."""
        principal = self.principal(200)
        for _ in range(7):
            self.spend(self.quota, principal)
        self.successResultOf(self.quota.stop())
        self.assertEqual((self.stored().request_count, self.leased()), (7, 0))
        self.assertEqual(self.spend_all(principal, self.started(self.database)), 193)

    def test_stopped(self) -> None:
        """Nothing is leased after the stop."""
        principal = self.principal(5)
        self.successResultOf(self.quota.stop())
        waiting = self.quota.spend(principal)
        assert waiting is not None
        self.failureResultOf(waiting, Unavailable)

    def test_refusals(self) -> None:
        """A token that was revoked or never was gets its own answer, though the caller believed in it."""
        principal = self.principal(5)
        self.changed(principal, is_active=False)
        refused = self.quota.spend(principal)
        assert refused is not None
        self.failureResultOf(refused, TokenInactive)
        unknown = self.quota.spend(Principal(token("t9", max_requests=5), project()))
        assert unknown is not None
        self.failureResultOf(unknown, TokenNotFound)


class GiveBackTests(LeasedQuotaCase):
    def test_given_back(self) -> None:
        """A use that reached no upstream can be spent again, also after it was written down."""
        principal = self.principal(3)
        self.assertEqual(self.spend_all(principal, self.quota), 3)
        self.quota.give_back(principal)
        self.successResultOf(self.quota.flush())
        self.assertEqual(self.stored().request_count, 2)
        self.quota.give_back(principal)
        self.assertEqual(self.spend_all(principal, self.quota), 2)
        self.successResultOf(self.quota.flush())
        self.assertEqual(self.stored().request_count, 3)

    def test_unlimited(self) -> None:
        """A use of a token without a limit is not counted when it is given back."""
        principal = self.principal(None)
        self.quota.spend(principal)
        self.quota.spend(principal)
        self.quota.give_back(principal)
        self.successResultOf(self.quota.flush())
        self.assertEqual(self.stored().request_count, 1)


class WaitingTests(LeasedQuotaCase):
    def setUp(self) -> None:
        super().setUp()
        self.slow = SlowUsage(self.database.usage)
        self.quota = self.started(Wrapped(self.slow))

    def waiting(self, principal: Principal, count: int) -> list[Deferred[None]]:
        waiters = [self.quota.spend(principal) for _ in range(count)]
        return [waiter for waiter in waiters if waiter is not None]

    def test_one_lease_for_all(self) -> None:
        """Requests that come while a lease is asked for wait for it, and do not ask again each."""
        waiters = self.waiting(self.principal(1000), 20)
        self.assertEqual(len(self.slow.held), 1)
        self.slow.release()
        for waiter in waiters:
            self.successResultOf(waiter)

    def test_not_enough(self) -> None:
        """Of 20 who wait for 5 uses, the first 5 get one."""
        waiters = self.waiting(self.principal(5), 20)
        while self.slow.held:
            self.slow.release()
        for waiter in waiters[:5]:
            self.successResultOf(waiter)
        for waiter in waiters[5:]:
            self.failureResultOf(waiter, RateLimitExceeded)

    def test_one_who_left(self) -> None:
        """Who gives up waiting takes no use."""
        first, second, third = self.waiting(self.principal(2), 3)
        second.cancel()
        self.failureResultOf(second)
        while self.slow.held:
            self.slow.release()
        self.successResultOf(first)
        self.successResultOf(third)

    def test_limit_changed_meanwhile(self) -> None:
        """A lease that was granted under the old limit is not spent under the new one."""
        principal = self.principal(1000)
        (waiter,) = self.waiting(principal, 1)
        lowered = self.changed(principal, max_requests=2)
        settling = self.quota.settle("t1")
        self.assertNoResult(settling)
        while self.slow.held:
            self.slow.release()
        self.successResultOf(settling)
        self.successResultOf(waiter)
        spent = 1
        for _ in range(10):
            spending = self.quota.spend(lowered)
            while self.slow.held:
                self.slow.release()
            if spending is None or spending.result is None:
                spent += 1
            else:
                self.failureResultOf(spending, RateLimitExceeded)
        self.assertEqual(spent, 2)

    def test_stop_waits(self) -> None:
        """Stopping waits for a lease that is on its way, and hands it back."""
        (waiter,) = self.waiting(self.principal(1000), 1)
        stopping = self.quota.stop()
        self.assertNoResult(stopping)
        self.slow.release()
        self.successResultOf(waiter)
        self.successResultOf(stopping)
        self.assertEqual((self.stored().request_count, self.leased()), (1, 0))


class ChangedLimitTests(LeasedQuotaCase):
    def test_lowered(self) -> None:
        """A limit below what is leased holds at once."""
        principal = self.principal(1000)
        for _ in range(3):
            self.spend(self.quota, principal)
        lowered = self.changed(principal, max_requests=5)
        self.successResultOf(self.quota.settle("t1"))
        self.assertEqual(self.spend_all(lowered, self.quota), 2)

    def test_given_back_after_lowering(self) -> None:
        """A use that is given back does not lift a token over its new limit."""
        principal = self.principal(1000)
        for _ in range(10):
            self.spend(self.quota, principal)
        lowered = self.changed(principal, max_requests=5)
        self.successResultOf(self.quota.settle("t1"))
        self.quota.give_back(principal)
        self.assertEqual(self.spend_all(lowered, self.quota), 0)
        for _ in range(5):
            self.quota.give_back(principal)
        self.assertEqual(self.spend_all(lowered, self.quota), 1)

    def test_raised(self) -> None:
        """A higher limit is there at once, though the quota has just been called spent."""
        principal = self.principal(2)
        self.spend_all(principal, self.quota)
        raised = self.changed(principal, max_requests=5)
        self.successResultOf(self.quota.settle("t1"))
        self.assertEqual(self.spend_all(raised, self.quota), 3)

    def test_first_limit(self) -> None:
        """A limit counts what was used before there was one, written down or not."""
        principal = self.principal(None)
        for _ in range(4):
            self.quota.spend(principal)
        limited = self.changed(principal, max_requests=6)
        self.assertEqual(self.spend_all(limited, self.quota), 2)


class WritingTests(LeasedQuotaCase):
    def setUp(self) -> None:
        super().setUp()
        self.slow = SlowUsage(self.database.usage)

    def test_counts_are_written(self) -> None:
        """Counts and dates of use are in the database an interval later; the date is that of the use."""
        principal = self.principal(None)
        self.quota.spend(principal)
        self.clock.advance(2)
        self.quota.spend(principal)
        self.clock.advance(3)
        self.assertEqual((self.stored().request_count, self.stored().last_used_at), (2, NOW + 2))

    def test_date_never_goes_back(self) -> None:
        """A late writer does not make a token look unused since an earlier moment."""
        principal = self.principal(None)
        early = self.started(self.database, clock_at(NOW - 100))
        early.spend(principal)
        self.quota.spend(principal)
        self.successResultOf(self.quota.flush())
        self.successResultOf(early.flush())
        self.assertEqual((self.stored().request_count, self.stored().last_used_at), (2, NOW))

    def test_idle_leases_return(self) -> None:
        """Uses that nobody asks for here are there for other processes after two intervals, and nothing is kept."""
        principal = self.principal(1000)
        self.spend(self.quota, principal)
        self.clock.pump([5.0, 5.0])
        self.assertEqual(self.leased(), 0)
        self.assertEqual(self.quota._held, {})
        before = self.database.statements
        self.clock.pump([5.0, 5.0])
        self.assertEqual(self.database.statements, before)

    def test_failing_store(self) -> None:
        """While the database is away counts are kept, and the writing goes on by itself when it is back."""
        quota = self.started(Wrapped(self.slow))
        principal = self.principal(None)
        self.slow.failure = Unavailable()
        quota.spend(principal)
        self.clock.pump([5.0, 5.0, 5.0])
        self.failureResultOf(quota.flush(), Unavailable)
        quota.spend(principal)
        self.slow.failure = None
        self.clock.advance(5.0)
        self.assertEqual(self.stored().request_count, 2)

    def unknown_outcome(self, happened: bool) -> int:
        """One use, written down with an end that nobody saw; what is stored when that was found out."""
        principal = self.principal(100)
        quota = LeasedQuota(self.clock, Wrapped(self.slow))  # type: ignore[arg-type]
        waiting = quota.spend(principal)
        self.slow.release()
        assert waiting is not None
        self.successResultOf(waiting)
        self.slow.failure, self.slow.fails_after = OutcomeUnknown(), happened
        self.failureResultOf(quota.settle("t1"), OutcomeUnknown)
        self.slow.failure = None
        self.successResultOf(quota.flush())
        count = self.stored().request_count
        self.assertEqual(self.leased(), 0)
        self.assertEqual(self.spend_all(principal, self.quota), 99)
        return count

    def test_unknown_outcome(self) -> None:
        """A write that may have happened, and did, is counted once; the quota is not exceeded, and is reached."""
        self.assertEqual(self.unknown_outcome(True), 1)

    def test_unknown_outcome_nothing_happened(self) -> None:
        """So is one that may have happened, and did not."""
        self.assertEqual(self.unknown_outcome(False), 1)

    def test_cancelled(self) -> None:
        """Who stops waiting for a flush does not make anything be counted twice, or not at all."""
        principal = self.principal(None)
        self.quota.spend(principal)
        held: Deferred[None] = Deferred()
        settle = self.database.usage.settle
        self.patch(self.database.usage, "settle", lambda *arguments: settle(*arguments).addCallback(lambda _: held))
        flushing = self.quota.flush()
        flushing.cancel()
        self.failureResultOf(flushing)
        self.patch(self.database.usage, "settle", settle)
        self.successResultOf(self.quota.flush())
        self.assertEqual(self.stored().request_count, 1)

    def test_no_database(self) -> None:
        """While the database is away a limited token is refused as unavailable, not as spent."""
        principal = self.principal(5)
        self.successResultOf(self.database.close())
        refused = self.quota.spend(principal)
        assert refused is not None
        self.failureResultOf(refused, Unavailable)


class NotedTests(LeasedQuotaCase):
    """What a ledger has noted of uses."""

    def upto(self) -> list[int]:
        query = text("SELECT upto FROM written_uses ORDER BY token_id")
        return self.successResultOf(self.database.read(lambda connection: list(connection.scalars(query))))

    def test_written_with_the_uses(self) -> None:
        """How far the ledger has come is written down with the uses, by whatever writes them."""
        self.quota.sequence = lambda: 7
        self.quota.spend(self.principal(None, "a"))
        self.successResultOf(self.quota.flush())
        self.assertEqual(self.upto(), [7])
        self.quota.sequence = lambda: 9
        self.quota.spend(self.principal(1000, "b"))
        self.quota.spend(self.principal(None, "c"))
        self.successResultOf(self.quota.flush())
        self.assertEqual(self.upto(), [7, 9, 9])

    def ordered(self, quota: LeasedQuota) -> list[tuple[str, int, int]]:
        """What the database is asked to write, in its order: of what kind, how many uses, and up to where."""
        asked: list[tuple[str, int, int]] = []
        usage = quota._usage
        lease, settle = usage.lease, usage.settle

        def leasing(settlement: Any, *more: Any) -> Any:
            asked.append(("lease", settlement.used, settlement.upto))
            return lease(settlement, *more)

        def settling(settlements: Any, name: str) -> Any:
            asked.extend(("flush", each.used, each.upto) for each in settlements)
            return settle(settlements, name)

        self.patch(usage, "lease", leasing)
        self.patch(usage, "settle", settling)
        return asked

    def test_lease_after_flush(self) -> None:
        """A lease does not overtake what is being written of its token: killed in between, that would be lost."""
        principal = self.principal(1000)
        quota = LeasedQuota(self.clock, self.database, max_lease=2)
        for number in (1, 2):
            quota.sequence = lambda number=number: number
            spent = quota.spend(principal) if number == 2 else self.successResultOf(quota.spend(principal))
            self.assertIsNone(spent, number)
        asked, held, run = self.ordered(quota), [], self.database.run
        self.patch(self.database, "run", lambda call: held.append((Deferred(), call)) or held[-1][0])
        self.patch(quota._usage, "_database", self.database)
        flushing = quota.flush()
        quota.sequence = lambda: 3
        waiting = quota.spend(principal)
        self.assertEqual(asked, [("flush", 2, 2)])
        while held:
            answer, call = held.pop(0)
            run(call).chainDeferred(answer)
        self.successResultOf(flushing)
        self.successResultOf(waiting)
        self.assertEqual(asked, [("flush", 2, 2), ("lease", 0, 3)])

    def test_flush_after_lease(self) -> None:
        """Nor does what is written overtake a lease that is asked for, or of which nobody knows whether it came."""
        for error in (None, Unavailable("no"), OutcomeUnknown("lost")):
            with row(error):
                principal = self.principal(1000, f"t-{error}")
                slow = SlowUsage(self.database.usage)
                quota = LeasedQuota(self.clock, Wrapped(slow), max_lease=2)
                quota.sequence = lambda: 1
                quota._held[principal.token.id] = holding = _Holding(Account(principal.token.id, used=5))
                waiting = quota.spend(principal)
                asked = self.ordered(quota)
                quota.sequence = lambda: 9
                holding.account.count(NOW)
                flushing = quota.flush()
                self.assertEqual(asked, [])
                answer, result = slow.held.pop(0)
                if error is None:
                    result.chainDeferred(answer)
                else:
                    answer.errback(error)
                self.successResultOf(flushing)
                waiting.addErrback(lambda _: None)
                # What had failed is written with the rest; of what nobody knows it is found out that it had happened.
                used = {None: 2, Unavailable: 6, OutcomeUnknown: 1}[None if error is None else type(error)]
                self.assertEqual(asked, [("flush", used, 9)])

    def test_not_written(self) -> None:
        """Where the uses could not be written, neither is that."""
        usage = SlowUsage(self.database.usage)
        quota = self.started(Wrapped(usage))
        quota.sequence = lambda: 7
        quota.spend(self.principal(None))
        usage.failure = Unavailable("no")
        self.failureResultOf(quota.flush(), Unavailable)
        self.assertEqual(self.upto(), [])
        usage.failure = None
        quota.sequence = lambda: 8
        self.successResultOf(quota.flush())
        self.assertEqual(self.upto(), [8])

    def test_leased_or_not(self) -> None:
        """One that was given back knows whether it can be spent again without asking."""
        limited, unlimited = self.principal(1000, "a"), self.principal(None, "b")
        for principal, leased in ((limited, True), (unlimited, False)):
            spending = self.quota.spend(principal)
            if spending is not None:
                self.successResultOf(spending)
            self.assertIs(self.quota.give_back(principal), leased)
