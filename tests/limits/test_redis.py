"""Limits in Redis: what is done with what is answered, and without an answer."""

from __future__ import annotations

from functools import partial

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from llmproxy.cache.presence import shared_memory
from llmproxy.core.limits.verdicts import Left, Part, Refusal, Reservation
from llmproxy.errors import Unavailable
from llmproxy.interfaces import ILimitStore
from llmproxy.limits.redis import SHORT, RedisLimits
from llmproxy.limits.shared import shared_limits
from llmproxy.limits.sharedtable import size_of
from llmproxy.redis.connection import RedisRefused
from llmproxy.redis.pool import PATIENCE

from ..cache.fakeredis import HOLD
from ..tables import row
from .fakes import BUDGET, PARALLEL, REQUESTS, TOKENS, LimitsTestCase

ALL = (Part(REQUESTS, 1), Part(TOKENS, 800), Part(PARALLEL, 1), Part(BUDGET, 500))


class ReservingTests(LimitsTestCase):
    def test_interface(self) -> None:
        """It is a store of limits."""
        verifyObject(ILimitStore, self.store)

    def test_one_round_trip(self) -> None:
        """Whatever the number of limits, Redis is asked once."""
        self.assertEqual(self.held(*ALL).parts, ALL)
        self.assertEqual([name for name, _ in self.ran], ["RESERVE"])
        self.assertEqual(len(self.redis.sent), 1)

    def test_nothing_to_ask(self) -> None:
        """A request without limits costs nothing."""
        self.assertEqual(self.held().parts, ())
        self.assertEqual((self.ran, self.store.running), ([], 0))

    def test_refused(self) -> None:
        """It is the limit that takes longest, and nothing is held."""
        self.replies["RESERVE"] = [b"full", 1, b"0", 900, 4, b"7", -1]
        self.assertEqual(self.refused(*ALL), Refusal(BUDGET, 7, None))
        self.replies["RESERVE"] = [b"full", 1, b"0", 900, 3, b"1", 1000]
        self.assertEqual(self.refused(*ALL), Refusal(PARALLEL, 1, 1.0))
        self.assertEqual((self.store.running, self.store.waiting), (0, 0))

    def test_refused_by_what_is_known(self) -> None:
        """What this process has used up alone is not asked for."""
        for _ in range(2):
            self.held(Part(PARALLEL, 1))
        self.assertEqual(self.refused(Part(PARALLEL, 1)).rule, PARALLEL)
        self.assertEqual(len(self.ran), 2)

    def test_ids(self) -> None:
        """Of 32 hexadecimal digits, each of one reservation alone."""
        ids = {self.held(Part(REQUESTS, 1)).id for _ in range(20)}
        self.assertEqual((len(ids), {len(each) for each in ids}), (20, {32}))


class BeginningTests(LimitsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.replies["RESERVE"] = [[b"unknown", 1]] * 3 + [[b"ok", 1, 1000]] * 3
        self.replies["BEGIN"] = 1

    def test_once_for_all(self) -> None:
        """However many wait for a budget that nobody has begun, the ledger is asked once."""
        self.spent = Deferred()
        asking = [self.reserve(Part(BUDGET, 1)) for _ in range(3)]
        self.spent.callback(123)
        self.assertEqual([self.successResultOf(each).parts for each in asking], [(Part(BUDGET, 1),)] * 3)
        self.assertEqual(self.asked, [BUDGET])
        [words] = self.part_names("BEGIN")
        self.assertEqual(words[-1], b"123")

    def test_ledger_away(self) -> None:
        """What is not known is no money that is left: the rule says what holds then."""
        for policy in ("closed", "local"):
            rule = evolve(BUDGET, on_store_failure=policy)
            with row(self, policy):
                self.replies["RESERVE"] = [[b"unknown", 1], [b"unknown", 1]]
                self.spent = Deferred()
                self.spent.errback(Unavailable("no database"))
                asking = self.reserve(Part(rule, 1))
                unavailable = getattr(self.successResultOf(asking), "unavailable", False)
                self.assertEqual(unavailable, policy == "closed")
        self.assertEqual(self.part_names("BEGIN"), [])

    def test_slow_ledger(self) -> None:
        """A request waits for it, as Redis can say nothing: what was spent would be spent again."""
        self.spent = Deferred()
        self.replies["RESERVE"] = [[b"unknown", 1], [b"ok", 1, 1000]]
        asking = self.reserve(Part(BUDGET, 1))
        self.pass_time(1)
        self.assertNoResult(asking)
        self.spent.callback(5)
        self.assertIsInstance(self.successResultOf(asking), Reservation)
        self.assertEqual(self.store.failures, 0)


class FailureTests(LimitsTestCase):
    """C{on_store_failure}: what is answered within L{PATIENCE}, whatever Redis does."""

    def silent(self) -> None:
        self.replies["RESERVE"] = HOLD

    def refusing(self, text: str) -> None:
        self.replies["RESERVE"] = RedisRefused(text)

    def test_workers_of_a_machine(self) -> None:
        """C{local} holds for all workers of a machine together, where they share a table."""
        file = shared_memory(size_of(2))
        self.addCleanup(file.close)
        stores = []
        for column in (0, 1):
            counts = partial(shared_limits, file.fileno(), 2, column)
            stores.append(RedisLimits(self.clock, self.pool, b"p:", self._spent, self.warned.append, counts))
        self.lose()
        held = [stores[number % 2].reserve([Part(PARALLEL, 1)]) for number in range(PARALLEL.limit + 1)]
        self.assertEqual([isinstance(each, Reservation) for each in held], [True] * PARALLEL.limit + [False])
        assert isinstance(held[0], Reservation)
        stores[0].settle(held[0], [None])
        self.assertIsInstance(stores[1].reserve([Part(PARALLEL, 1)]), Reservation)
        budget = evolve(BUDGET, limit=10**9, soft=6 * 10**8)
        spent = stores[0].reserve([Part(budget, 5 * 10**8)])
        assert isinstance(spent, Reservation)
        stores[0].settle(spent, [6 * 10**8])
        self.assertEqual([each.share for each in self.warned], [0, 50])
        self.assertIsInstance(stores[1].reserve([Part(budget, 5 * 10**8)]), Refusal)

    def test_every_way(self) -> None:
        """Open and local admit, closed refuses as unavailable; nothing is held of what was refused."""
        ways = {
            "silent": self.silent,
            "away": self.lose,
            "full": lambda: self.refusing("OOM command not allowed when used memory > 'maxmemory'."),
            "password": lambda: self.refusing("NOAUTH Authentication required."),
            "loading": lambda: self.refusing("LOADING Redis is loading the dataset in memory"),
            "cluster": lambda: self.refusing("MOVED 1234 10.0.0.1:6379"),
        }
        for name, spoil in ways.items():
            for policy in ("open", "local", "closed"):
                with row(self, f"{name}, {policy}"):
                    self.doCleanups()
                    self.setUp()
                    spoil()
                    rule = evolve(PARALLEL, on_store_failure=policy)
                    asking = self.reserve(Part(rule, 1))
                    self.pass_time(PATIENCE)
                    found = self.successResultOf(asking)
                    if policy == "closed":
                        self.assertEqual(found, Refusal(rule, 0, SHORT, unavailable=True))
                    else:
                        self.assertEqual(found.parts, (Part(rule, 1),))
                    self.assertEqual((self.store.failures, self.store.running), (1, policy != "closed"))

    def test_closed_without_a_limit(self) -> None:
        """A budget that only warns refuses nothing, nor does a limit of which nothing is asked."""
        self.lose()
        warns = evolve(BUDGET, over_budget="warn", on_store_failure="closed")
        self.held(Part(warns, 5), Part(evolve(TOKENS, on_store_failure="closed"), 0))

    def test_own_count(self) -> None:
        """While Redis is away, local limits are those of this process; open ones are none."""
        self.lose()
        for policy, admitted in (("local", 2), ("open", 5)):
            with row(self, policy):
                rule = evolve(PARALLEL, scope=policy, on_store_failure=policy)
                found = [self.successResultOf(self.reserve(Part(rule, 1))) for _ in range(5)]
                self.assertEqual(sum(isinstance(each, Reservation) for each in found), admitted)

    def test_own_count_of_money(self) -> None:
        """What was spent before this process counted is asked of the ledger, once."""
        self.lose()
        self.spent = 600
        for _ in range(2):
            self.store.settle(self.held(Part(BUDGET, 200)), [100])
        self.assertEqual(self.refused(Part(BUDGET, 201)).left, 200)
        self.assertEqual(self.asked, [BUDGET])

    def test_too_slow(self) -> None:
        """After a few that took too long none waits, until Redis answers in time."""
        self.replies["RESERVE"] = self.replies["PING"] = HOLD
        for _ in range(5):
            self.reserve(Part(REQUESTS, 1))
            self.pass_time(PATIENCE)
        self.assertFalse(self.pool.available)
        self.held(Part(REQUESTS, 1))
        self.assertEqual(len(self.ran), 5)

    def test_open_is_settled(self) -> None:
        """Money that was spent without asking is counted as what it was."""
        self.lose()
        held = self.held(Part(evolve(BUDGET, on_store_failure="open"), 900))
        self.store.settle(held, [7])
        self.connector.failure = None
        self.pass_time(4)
        [words] = self.part_names("SETTLE")
        self.assertEqual(words[-6:-3], [b"money", b"900", b"7"])

    def test_late_answer(self) -> None:
        """What Redis takes after a request was refused is given back."""
        self.replies["RESERVE"] = HOLD
        rules = [evolve(each.rule, on_store_failure="closed") for each in ALL]
        asking = self.reserve(*(Part(rule, 1) for rule in rules))
        self.pass_time(PATIENCE)
        self.assertTrue(self.successResultOf(asking).unavailable)
        self.redis.answer([b"ok", 1_700_000_001, 1_700_000_001_000])
        self.pass_time(1)
        [words] = self.part_names("SETTLE")
        self.assertEqual(words.count(b"1700000001"), len(ALL))
        at = words.index(b"1700000001")
        self.assertEqual(words[at - 3 : at], [b"requests", b"1", b"0"])

    def test_deadline(self) -> None:
        """Redis hears until when somebody waits, by its own clock, as soon as that is known."""
        self.held(Part(BUDGET, 1))
        self.held(Part(BUDGET, 1))
        first, second = self.part_names("RESERVE")
        until = round((self.clock.seconds() + PATIENCE) * 1000)
        self.assertEqual((first[5], second[5]), (b"", b"%d" % until))

    def test_too_late_for_redis(self) -> None:
        """What it has not taken as nobody waits any more, and what runs all the same, is made known to it soon."""
        self.replies["RESERVE"] = HOLD
        asking = self.reserve(Part(BUDGET, 800))
        self.pass_time(PATIENCE)
        self.assertIsInstance(self.successResultOf(asking), Reservation)
        self.redis.answer([b"late", 1_700_000_001_000])
        self.pass_time(0.2)
        [words] = self.part_names("RENEW")
        self.assertEqual(words[-1], b"800")

    def test_late_refusal(self) -> None:
        """A request that was admitted without Redis, which would have refused it, is paid all the same."""
        self.replies["RESERVE"] = HOLD
        asking = self.reserve(Part(BUDGET, 900))
        self.pass_time(PATIENCE)
        self.redis.answer([b"full", 1, b"0", -1])
        self.store.settle(self.successResultOf(asking), [5])
        self.pass_time(0.1)
        [words] = self.part_names("SETTLE")
        self.assertEqual(words[-6:-3], [b"money", b"900", b"5"])

    def test_rates_that_redis_missed(self) -> None:
        """They count from when it is back; nothing of them does that is older than a minute."""
        self.lose()
        held = [self.held(Part(TOKENS, 100)) for _ in range(2)]
        self.store.settle(held[0], [80])
        self.clock.advance(61)
        self.store.settle(held[1], [80])
        self.assertEqual(self.store.waiting, 1)


class LivingTests(LimitsTestCase):
    def test_signs_of_life(self) -> None:
        """What runs and has a lease is renewed, thrice within it."""
        held = self.held(*ALL)
        self.pass_time(RedisLimits.lease)
        self.assertEqual(len(self.part_names("RENEW")), 3)
        self.assertEqual(self.part_names("RENEW")[0][0], b"4")
        self.store.give_back(held)
        self.pass_time(RedisLimits.lease)
        self.assertEqual(len(self.part_names("RENEW")), 3)

    def test_back_again(self) -> None:
        """A Redis that was emptied learns at once what runs."""
        self.held(Part(PARALLEL, 1))
        self.lose()
        self.held(Part(PARALLEL, 1))
        self.connector.failure = None
        self.pass_time(3)
        self.assertEqual(len(self.part_names("RENEW")[0]), 1 + 2 * 2 + 1 + 2 * 3)

    def test_ended_meanwhile(self) -> None:
        """What was renewed after it had been settled is settled again."""
        held = self.held(Part(PARALLEL, 1))
        self.replies["RENEW"] = HOLD
        self.pass_time(RedisLimits.lease / 3 + 0.01)
        self.store.settle(held, [None])
        self.redis.answers = lambda words: HOLD
        self.redis.answer(None)
        self.assertEqual(self.store.waiting, 2)


class LeftTests(LimitsTestCase):
    def test_left(self) -> None:
        """By rule, and nothing without rules."""
        self.replies["LEFT"] = [b"40", 1500, b"0", -1]
        found = self.successResultOf(self.store.left([REQUESTS, PARALLEL]))
        self.assertEqual(found, [Left(REQUESTS, 40, 60, 1.5), Left(PARALLEL, 0, 2, None)])
        self.assertEqual(self.successResultOf(self.store.left([])), [])

    def test_away(self) -> None:
        """It is said that it is not known."""
        self.lose()
        self.failureResultOf(self.store.left([REQUESTS]), Unavailable)

    def test_not_begun(self) -> None:
        """Of a budget that nobody has asked for yet, the ledger says what was spent."""
        self.spent = 400
        self.replies["LEFT"] = [[b"0", -1], [b"400", 9]]
        self.replies["BEGIN"] = 1
        self.assertEqual(self.successResultOf(self.store.left([BUDGET])), [Left(BUDGET, 400, 600, 0.009)])


class StatisticsTests(LimitsTestCase):
    def test_statistics(self) -> None:
        """What was decided without Redis is counted."""
        self.lose()
        self.held(Part(REQUESTS, 1))
        figures = self.store.statistics()
        self.assertEqual((figures["decided_alone"], figures["redis_connections"]), (1, 0))
