"""Limits that processes share, with a real Redis."""

from __future__ import annotations

import os
import signal
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
    def stores(
        self, count: int, spent: int = 0, server: RedisServer | None = None, connected: bool = True
    ) -> Generator[Deferred[Any], Any, list[RedisLimits]]:
        # A machine that is busy with something else is no reason for a test to fail.
        self.patch(pools, "PATIENCE", 10.0)
        server = shared_server() if server is None else server
        where = parse_redis_url(f"redis://127.0.0.1:{server.port}/0")
        prefix = b"limits:" + os.urandom(4).hex().encode() + b":"
        self.warned: list[Crossed] = []
        found = []
        for _ in range(count):
            pool = RedisPool(reactor, Connector(reactor, where, 10.0, Poller(reactor)), 2, 10.0)
            waiting: Deferred[None] = Deferred()
            pool.when_connected(lambda done=waiting: None if done.called else done.callback(None))
            store = RedisLimits(reactor, pool, prefix, lambda rule: succeed(spent), self.warned.append)
            store.start()
            self.addCleanup(store.stop)
            if connected:
                yield waiting
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
    def test_nothing(self) -> Generator[Deferred[Any], Any, None]:
        """What asks for nothing of a limit fits however full it is, and is settled with what it used."""
        one, other = yield self.stores(2)
        rules = (REQUESTS, TOKENS, evolve(BUDGET, limit=100))
        full = yield self.asked(one, *(Part(each, min(each.limit, 100)) for each in rules))
        held = yield self.asked(other, *(Part(each, 0) for each in rules))
        self.assertIsInstance(held, Reservation)
        other.settle(held, [0, 5, 7])
        gone = yield self.asked(other, *(Part(each, 0) for each in rules))
        other.give_back(gone)
        one.settle(full, [None, None, None])
        self.assertEqual((yield self.used(one, *rules)), [100, 105, 107])

    @inlineCallbacks
    def test_something_else_in_its_place(self) -> Generator[Deferred[Any], Any, None]:
        """Keys that somebody else has written to are put right."""
        [one] = yield self.stores(1)
        rules = (REQUESTS, TOKENS, PARALLEL, BUDGET)
        for key in one._names.of(rules):
            shared_server().ask("SET", key, "nonsense")
        held = yield self.asked(one, *(Part(each, 2) for each in rules))
        self.assertEqual((yield self.used(one, *rules)), [2, 2, 1, 2])
        for key in one._names.of(rules):
            shared_server().ask("SET", key, "nonsense")
        one.settle(held, [None, 1, None, 1])
        self.assertEqual((yield self.used(one, *rules)), [0, 0, 0, 0])
        self.assertEqual(one.waiting, 0)

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


class CostTests(Shared):
    @inlineCallbacks
    def test_one_round_trip(self) -> Generator[Deferred[Any], Any, None]:
        """As Redis counts: a call for each request, whatever its limits are, and batches of what has ended."""
        server = RedisServer().start()
        self.addCleanup(server.close)
        [store] = yield self.stores(1, server=server)
        parts = [
            *(Part(each, 1) for each in (evolve(REQUESTS, limit=1000), TOKENS, evolve(PARALLEL, limit=1000), BUDGET)),
            Part(evolve(BUDGET, scope="project:p"), 1),
        ]
        store.settle((yield self.asked(store, *parts)), [None, 2, None, 2, 2])
        yield deferLater(reactor, 0.2)
        before = server.calls("evalsha"), server.calls("eval")
        held = yield DeferredList([self.asked(store, *parts) for _ in range(300)])
        self.assertEqual(server.calls("evalsha") - before[0], 300)
        for _, each in held:
            store.settle(each, [None, 2, None, 2, 2])
        while store.waiting:
            yield deferLater(reactor, 0.02)
        # Four parts of each have changed, 200 go in one call.
        self.assertEqual(server.calls("evalsha") - before[0], 300 + 300 * 4 // 200)
        self.assertEqual(server.calls("eval"), before[1])
        self.assertEqual((yield self.used(store, *(each.rule for each in parts))), [301, 602, 0, 602, 602])


class FailingTests(Shared):
    """Each way in which Redis can fail: what is answered meanwhile, and that all is right when it is back."""

    @inlineCallbacks
    def setUp(self) -> Generator[Deferred[Any], Any, None]:
        self.server = RedisServer().start()
        self.addCleanup(self.server.close)
        [self.store] = yield self.stores(1, server=self.server)
        # What runs when Redis fails.
        self.before = yield self.asked(self.store, Part(PARALLEL, 1), Part(BUDGET, 500))
        self.patch(pools, "PATIENCE", 0.2)
        self.store._pool._patience._limit = 0.2

    @inlineCallbacks
    def judged(self) -> Generator[Deferred[Any], Any, None]:
        """While it fails: what is closed is refused, what is local admitted as far as this process knows."""
        closed = yield self.asked(self.store, Part(evolve(REQUESTS, scope="c", on_store_failure="closed"), 1))
        self.assertTrue(closed.unavailable)
        opened = yield self.asked(self.store, Part(evolve(PARALLEL, limit=0, scope="o", on_store_failure="open"), 1))
        self.assertIsInstance(opened, Reservation if not self.store._pool.available else Refusal)
        if isinstance(opened, Reservation):
            self.store.give_back(opened)
        self.meanwhile = yield self.asked(self.store, Part(PARALLEL, 1), Part(BUDGET, 300))
        self.assertIsInstance(self.meanwhile, Reservation)
        refused = yield self.asked(self.store, Part(PARALLEL, 1))
        self.assertEqual(refused, Refusal(PARALLEL, 0, 1.0))
        self.store.settle(self.before, [None, 20])
        self.assertGreaterEqual(self.store.failures, 1)

    @inlineCallbacks
    def settled(self, spent: int) -> Generator[Deferred[Any], Any, None]:
        """When it is back: what was used meanwhile is known to all, and what runs has its place."""
        for _ in range(500):
            if self.store._pool.available and not self.store.waiting:
                break
            yield deferLater(reactor, 0.02)
        self.assertEqual((yield self.used(self.store, PARALLEL, BUDGET)), [1, spent + 300])
        self.store.settle(self.meanwhile, [None, 7])
        requests = evolve(REQUESTS, scope="c")
        self.assertEqual((yield self.used(self.store, PARALLEL, BUDGET, requests)), [0, spent + 7, 0])

    @inlineCallbacks
    def test_paused(self) -> Generator[Deferred[Any], Any, None]:
        """What it takes when it goes on, of requests that were refused meanwhile, is given back."""
        self.server.signal(signal.SIGSTOP)
        self.addCleanup(self.server.signal, signal.SIGCONT)
        yield self.judged()
        self.server.signal(signal.SIGCONT)
        yield self.settled(20)

    @inlineCallbacks
    def test_refuses(self) -> Generator[Deferred[Any], Any, None]:
        """It has no memory left: what has ended is kept until there is."""
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        yield self.judged()
        yield deferLater(reactor, 0.2)
        self.assertGreater(self.store.waiting, 0)
        self.server.ask("CONFIG", "SET", "maxmemory", "0")
        yield self.settled(20)

    @inlineCallbacks
    def test_started_anew(self) -> Generator[Deferred[Any], Any, None]:
        """It is empty: what was spent is the ledger's to say, and what runs is there again."""
        self.server.kill()
        while self.store._pool.connected:
            yield deferLater(reactor, 0.01)
        yield self.judged()
        self.server.start()
        while not self.store._pool.available:
            yield deferLater(reactor, 0.02)
        yield self.used(self.store, BUDGET)
        yield self.settled(0)

    @inlineCallbacks
    def test_connections_are_cut(self) -> Generator[Deferred[Any], Any, None]:
        """All of them, and its scripts forgotten, while requests end: each counts once."""
        budget = evolve(BUDGET, scope="cut")
        for number in range(40):
            held = yield self.asked(self.store, Part(budget, 100))
            self.store.settle(held, [3])
            if number % 4 == 0:
                yield deferLater(reactor, 0.05)
                self.server.ask("SCRIPT", "FLUSH")
                self.server.ask("CLIENT", "KILL", "TYPE", "normal")
        while self.store.waiting or not self.store._pool.available:
            yield deferLater(reactor, 0.02)
        [left] = yield self.store.left([budget])
        # What was asked for on a connection that was cut counts as reserved until its lease is over, if it was taken.
        self.assertEqual(left.used % 100, 40 * 3 % 100)

    @inlineCallbacks
    def test_emptied(self) -> Generator[Deferred[Any], Any, None]:
        """Likewise; nobody notices until a budget is met that nobody has begun."""
        self.server.ask("FLUSHALL")
        self.meanwhile = yield self.asked(self.store, Part(PARALLEL, 1), Part(BUDGET, 300))
        self.assertEqual((yield self.used(self.store, PARALLEL, BUDGET)), [2, 800])
        self.store.settle(self.before, [None, 20])
        yield self.settled(20)


class UnusableTests(Shared):
    """A Redis that takes nothing of us: requests go on as C{on_store_failure} says."""

    @inlineCallbacks
    def judge(self, server: RedisServer, connected: bool) -> Generator[Deferred[Any], Any, None]:
        self.addCleanup(server.close)
        [store] = yield self.stores(1, server=server, connected=connected)
        if not connected:
            yield deferLater(reactor, 0.2)
        closed = yield self.asked(store, Part(evolve(REQUESTS, on_store_failure="closed"), 1))
        self.assertTrue(closed.unavailable)
        held = yield self.asked(store, Part(PARALLEL, 1))
        self.assertIsInstance(held, Reservation)

    def test_password(self) -> Any:
        return self.judge(RedisServer(requirepass="s3cret").start(), connected=False)

    def test_replica(self) -> Any:
        """It takes nothing, whatever it has."""
        server = RedisServer().start()
        server.ask("REPLICAOF", "127.0.0.1", "1")
        return self.judge(server, connected=True)

    def test_scripts_are_not_allowed(self) -> Any:
        server = RedisServer().start()
        server.ask("ACL", "SETUSER", "default", "-@scripting")
        return self.judge(server, connected=True)

    def test_node_of_a_cluster(self) -> Any:
        return self.judge(RedisServer(cluster_enabled="yes").start(), connected=True)
