"""Limits that processes share, with a real Redis."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, maybeDeferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Crossed, Left, Part, Refusal, Reservation
from llmproxy.core.redisoptions import parse_redis_url
from llmproxy.limits.redis import RedisLimits
from llmproxy.net.poller import Poller
from llmproxy.redis import pool as pools
from llmproxy.redis.connection import Connector
from llmproxy.redis.pool import RedisPool

from .redisserver import MISSING, RedisServer, shared_server

REQUESTS = Rule("requests", "token:t", 100, "rpm_limit of t", "1m")
TOKENS = Rule("tokens", "token:t", 1000, "tpm_limit of t", "1m")
PARALLEL = Rule("parallel", "token:t", 2, "max_parallel_requests of t")
BUDGET = Rule("money", "token:t", 10**15 + 1, "max_budget of t", "1d", soft=600)


class Shared(TestCase):
    """Several processes, as stores of their own."""

    skip = MISSING

    @inlineCallbacks
    def stores(self, count: int, spent: int = 0) -> Generator[Deferred[Any], Any, list[RedisLimits]]:
        self.patch(pools, "PATIENCE", 10.0)
        server: RedisServer = shared_server()
        where = parse_redis_url(f"redis://127.0.0.1:{server.port}/0")
        prefix = b"limits:" + os.urandom(4).hex().encode() + b":"
        self.warned: list[Crossed] = []
        found = []
        for _ in range(count):
            pool = RedisPool(reactor, Connector(reactor, where, 10.0, Poller(reactor)), 2, 10.0)
            connected: Deferred[None] = Deferred()
            pool.when_connected(lambda done=connected: None if done.called else done.callback(None))
            store = RedisLimits(reactor, pool, prefix, lambda rule: succeed(spent), self.warned.append)
            store.start()
            self.addCleanup(store.stop)
            yield connected
            found.append(store)
        return found

    def asked(self, store: RedisLimits, *parts: Part) -> Deferred[Reservation | Refusal]:
        return maybeDeferred(store.reserve, parts)

    @inlineCallbacks
    def used(self, store: RedisLimits, *rules: Rule) -> Generator[Deferred[Any], Any, list[int]]:
        yield deferLater(reactor, 0.2)
        found: list[Left] = yield store.left(rules)
        return [each.used for each in found]


class ExactTests(Shared):
    @inlineCallbacks
    def test_a_thousand_at_once(self) -> Generator[Deferred[Any], Any, None]:
        """Of a thousand that ask four processes at once a hundred are admitted."""
        stores = yield self.stores(4)
        asking = [self.asked(stores[number % 4], Part(REQUESTS, 1)) for number in range(1000)]
        outcomes = [outcome for _, outcome in (yield DeferredList(asking))]
        self.assertEqual(sum(isinstance(each, Reservation) for each in outcomes), 100)
        refusals = [each for each in outcomes if isinstance(each, Refusal)]
        self.assertEqual({each.left for each in refusals}, {0})
        self.assertTrue(all(0 < (each.resets_in or 0) <= 61 for each in refusals))
        self.assertEqual((yield self.used(stores[0], REQUESTS)), [100])

    @inlineCallbacks
    def test_all_or_nothing(self) -> Generator[Deferred[Any], Any, None]:
        stores = yield self.stores(2)
        yield self.asked(stores[0], Part(PARALLEL, 1))
        yield self.asked(stores[0], Part(PARALLEL, 1))
        refusal = yield self.asked(stores[1], Part(REQUESTS, 1), Part(PARALLEL, 1), Part(BUDGET, 5))
        self.assertEqual((refusal.rule, refusal.left), (PARALLEL, 0))
        self.assertEqual((yield self.used(stores[1], REQUESTS, PARALLEL, BUDGET)), [0, 2, 0])

    @inlineCallbacks
    def test_settled(self) -> Generator[Deferred[Any], Any, None]:
        """Each part is what it was in the end, for every process."""
        one, other = yield self.stores(2)
        parts = [Part(REQUESTS, 1), Part(TOKENS, 800), Part(PARALLEL, 1), Part(BUDGET, 500)]
        held = yield self.asked(one, *parts)
        self.assertEqual((yield self.used(other, *(each.rule for each in parts))), [1, 800, 1, 500])
        one.settle(held, [None, 123, None, 10**15])
        self.assertEqual((yield self.used(other, *(each.rule for each in parts))), [1, 123, 0, 10**15])
        self.assertEqual([each.share for each in self.warned], [0, 50, 80])
        refusal = yield self.asked(other, Part(BUDGET, 2))
        self.assertEqual((refusal.rule, refusal.left), (BUDGET, 1))
        self.assertIsInstance((yield self.asked(other, Part(BUDGET, 1))), Reservation)

    @inlineCallbacks
    def test_given_back(self) -> Generator[Deferred[Any], Any, None]:
        one, other = yield self.stores(2)
        rules = (REQUESTS, TOKENS, PARALLEL, BUDGET)
        held = yield self.asked(one, *(Part(each, 2) for each in rules))
        one.give_back(held)
        self.assertEqual((yield self.used(other, *rules)), [0, 0, 0, 0])
        self.assertEqual((one.running, one.waiting), (0, 0))

    @inlineCallbacks
    def test_begun_by_the_ledger(self) -> Generator[Deferred[Any], Any, None]:
        """A budget that Redis does not know begins with what was spent, once for all."""
        budget = evolve(BUDGET, limit=1000)
        stores = yield self.stores(3, spent=900)
        outcomes = yield DeferredList([self.asked(each, Part(budget, 50)) for each in stores])
        admitted = [outcome for _, outcome in outcomes if isinstance(outcome, Reservation)]
        self.assertEqual(len(admitted), 2)
        self.assertEqual((yield self.used(stores[0], budget)), [1000])

    @inlineCallbacks
    def test_dead_process(self) -> Generator[Deferred[Any], Any, None]:
        """Its places are free after its lease, what it had reserved is spent; if it lives, it is as it was."""
        self.patch(RedisLimits, "lease", 0.3)
        one, other = yield self.stores(2)
        held = yield self.asked(one, Part(PARALLEL, 1), Part(BUDGET, 500))
        yield deferLater(reactor, 0.5)
        self.assertEqual((yield self.used(other, PARALLEL, BUDGET)), [0, 500])
        one.settle(held, [None, 20])
        self.assertEqual((yield self.used(other, PARALLEL, BUDGET)), [0, 20])
