"""The stores that use Redis, with a real one."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from llmproxy.cache import epochs as doubts
from llmproxy.cache import scripts
from llmproxy.cache.memory import MemoryStore
from llmproxy.cache.redis import RedisStore
from llmproxy.cache.tiered import TieredStore
from llmproxy.core.redisoptions import RedisLocation, parse_redis_url
from llmproxy.net.poller import Poller
from llmproxy.redis import pool as pools
from llmproxy.redis.connection import Connector, RedisDown
from llmproxy.redis.pool import RedisPool

from ..contracts.cache_store import BODY, CacheStoreContract, Steps, entry, key, select
from .processes import free_port
from .redisserver import MISSING, RedisServer, make_certificate, shared_server


def location(server: RedisServer) -> RedisLocation:
    return parse_redis_url(f"redis://127.0.0.1:{server.port}/0")


PATIENT = 10.0
"""Seconds: a machine that is busy with something else is no reason for a test to fail."""


@inlineCallbacks
def opened(test: TestCase, where: RedisLocation, prefix: bytes | None = None, timeout: float = PATIENT) -> Any:
    """A store whose connections stand; closed when the test ends."""
    if timeout == PATIENT:
        test.patch(pools, "PATIENCE", PATIENT)
    pool = RedisPool(reactor, Connector(reactor, where, timeout, Poller(reactor)), 2, timeout)
    connected: Deferred[None] = Deferred()
    store = RedisStore(reactor, pool, prefix or b"test:" + os.urandom(4).hex().encode() + b":")
    pool.when_connected(lambda: None if connected.called else connected.callback(None))
    store.start()
    test.addCleanup(store.stop)
    yield connected
    return store


def pause(seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds)


class ContractTests(CacheStoreContract, TestCase):
    skip = MISSING

    @inlineCallbacks
    def setUp(self) -> Generator[Deferred[Any], Any, None]:
        self.store = yield opened(self, location(shared_server()))

    def pass_time(self, seconds: float) -> Deferred[None]:
        return pause(seconds)


class TieredContractTests(CacheStoreContract, TestCase):
    skip = MISSING

    @inlineCallbacks
    def setUp(self) -> Generator[Deferred[Any], Any, None]:
        shared = yield opened(self, location(shared_server()))
        self.store = TieredStore(MemoryStore(reactor.seconds, 1 << 20), shared)

    def pass_time(self, seconds: float) -> Deferred[None]:
        return pause(seconds)


class SharedTests(TestCase):
    """What several proxies have in one Redis."""

    skip = MISSING

    @inlineCallbacks
    def setUp(self) -> Generator[Deferred[Any], Any, None]:
        self.server = shared_server()
        self.prefix = b"shared:" + os.urandom(4).hex().encode() + b":"
        self.one = yield opened(self, location(self.server), self.prefix)
        self.two = yield opened(self, location(self.server), self.prefix)

    def keys(self) -> list[bytes]:
        return sorted(self.server.ask("KEYS", self.prefix + b"*"))

    def put(
        self, store: RedisStore, at: Any = None, seconds: float = 60, since: Any = None, **values: bytes
    ) -> Deferred[bool]:
        names = tuple(sorted(name.encode() for name in values))
        return store.put(at or key(), names, select(**values), entry(), BODY, seconds, since)

    @inlineCallbacks
    def found(self, store: RedisStore, at: Any = None, **values: bytes) -> Any:
        found = yield store.lookup(at or key(), select(**values))
        return found is not None and found.entry is not None and found.body == BODY

    @inlineCallbacks
    def test_shared(self) -> Steps:
        """What one stored, another serves; what one removes, nobody serves."""
        self.assertTrue((yield self.put(self.one)))
        self.assertTrue((yield self.found(self.two)))
        self.assertEqual((yield self.two.count()), 1)
        self.assertEqual((yield self.two.remove(key())), 1)
        self.assertFalse((yield self.found(self.one)))
        self.assertEqual((yield self.one.count()), 0)

    @inlineCallbacks
    def test_variants_of_another(self) -> Steps:
        """One proxy sees the variants that another stored, and adds its own."""
        yield self.put(self.one, accept=b"1")
        self.assertTrue((yield self.found(self.two, accept=b"1")))
        yield self.put(self.two, accept=b"1", origin=b"o")
        self.assertFalse((yield self.found(self.one, accept=b"1")))
        self.assertTrue((yield self.found(self.one, accept=b"1", origin=b"o")))
        yield self.put(self.one, accept=b"2")
        self.assertTrue((yield self.found(self.two, accept=b"2")))
        self.assertEqual(len((yield self.two.heads(key()))), 2)

    @inlineCallbacks
    def test_variants_are_bounded(self) -> Steps:
        """A client that invents values of a field does not fill Redis with one key."""
        for number in range(70):
            yield self.put(self.one, accept=b"%d" % number)
        self.assertEqual(len((yield self.one.heads(key()))), 64)

    @inlineCallbacks
    def test_expired_variants_leave(self) -> Steps:
        """A variant that is over makes room with the next one."""
        yield self.put(self.one, seconds=0.05, accept=b"1")
        yield self.put(self.one, accept=b"2")
        yield pause(0.1)
        yield self.put(self.one, accept=b"3")
        (name,) = (each for each in self.keys() if each.startswith(self.prefix + b"o"))
        self.assertEqual(self.server.ask("HLEN", name), 6)

    @inlineCallbacks
    def test_nothing_is_left(self) -> Steps:
        """When everything has expired, Redis holds nothing of us."""
        yield self.put(self.one, seconds=0.2)
        yield self.put(self.one, key(b"/x", tenant="p2"), seconds=0.1, accept=b"1")
        for name in self.keys():
            self.assertNotEqual(self.server.ask("PTTL", name), -1, name)
        yield pause(0.3)
        self.assertEqual(self.keys(), [])

    @inlineCallbacks
    def test_lists_are_cleaned(self) -> Steps:
        """The lists of a busy scope do not grow with what has expired."""
        for number in range(30):
            yield self.put(self.one, key(b"/%d" % number), seconds=0.05)
        yield pause(0.1)
        for number in range(4):
            yield self.put(self.one, key(b"/again%d" % number))
        for kind in (b"l", b"x"):
            self.assertEqual(self.server.ask("ZCARD", self.prefix + kind + b"openai\0p1"), 4, kind)

    @inlineCallbacks
    def test_head_outlives(self) -> Steps:
        """An answer that a 304 made fresh again stays for as long as it is said then."""
        yield self.put(self.one, seconds=1)
        found = yield self.one.lookup(key(), select())
        yield self.two.replace_head(key(), found, entry(b'"b"'), 60)
        yield pause(1.1)
        self.assertTrue((yield self.found(self.one)))
        self.assertEqual((yield self.one.purge("openai", "p1")), 1)

    @inlineCallbacks
    def test_evicted_list(self) -> Steps:
        """Redis may evict what it likes: what a purge cannot list is not found any more either."""
        for lost in (b"l", b"x", b"g", b"s", b"r"):
            for again in (False, True):
                yield self.put(self.one)
                self.assertTrue((yield self.found(self.one)), (lost, again))
                for name in self.keys():
                    if name[len(self.prefix) :][:1] == lost:
                        self.server.ask("DEL", name)
                if again:
                    yield self.put(self.one, key(b"/other"))
                yield self.two.purge(None, None)
                self.assertFalse((yield self.found(self.one)), (lost, again))

    @inlineCallbacks
    def test_others_are_left_alone(self) -> Steps:
        """A purge touches no key of anybody else, were its name as ours are."""
        theirs = [b"x" + self.prefix + b"o", self.prefix[:-1], b"other:" + os.urandom(4).hex().encode()]
        for name in theirs:
            self.server.ask("SET", name, "theirs")
        yield self.put(self.one)
        yield self.one.purge(None, None)
        for name in theirs:
            self.assertEqual(self.server.ask("GET", name), b"theirs", name)
            self.server.ask("DEL", name)
        self.assertEqual([name for name in self.keys() if name[len(self.prefix) :][:1] == b"o"], [])

    @inlineCallbacks
    def test_large_purge(self) -> Steps:
        """More than one script's worth goes, and is counted."""
        self.patch(self.one._pool, "complain", lambda kind, why: self.fail(why))
        yield DeferredList([self.put(self.one, key(b"/v1/%d" % number)) for number in range(1100)])
        yield self.put(self.one, key(b"/v2"))
        self.assertEqual((yield self.two.purge("openai", None, b"/v1/")), 1100)
        self.assertTrue((yield self.found(self.one, key(b"/v2"))))

    @inlineCallbacks
    def test_garbage(self) -> Steps:
        """Whatever somebody put in our places: a miss, and the next answer is stored again."""
        yield self.put(self.one)
        names = self.keys()
        for name in names:
            for words in (("SET", name, "garbage"), ("RPUSH", name, "garbage"), ("HSET", name, "h", "x", "g", "y")):
                self.server.ask("DEL", name)
                self.server.ask(*words)
                # What the lists hold matters to nobody but who purges.
                listed = name[len(self.prefix) :][:1] in b"lsx"
                self.assertEqual((yield self.found(self.one)), listed, words)
                self.assertTrue((yield self.put(self.one)), words)
                self.assertTrue((yield self.found(self.one)), words)
                self.server.ask("DEL", name)
                self.server.ask(*words)
                yield self.two.remove(key(b"/other"))
                yield self.two.purge(None, None)
                self.assertFalse((yield self.found(self.one)), words)
                self.assertTrue((yield self.put(self.one)), words)
        (name,) = (each for each in names if each.startswith(self.prefix + b"o"))
        head = self.server.ask("HGET", name, "h")
        for field, value in (("h", b""), ("h", head[:-3]), ("h", head[:8] + b"\x09" + head[9:]), ("b", BODY[1:])):
            self.server.ask("HSET", name, field, value)
            self.assertFalse((yield self.found(self.one)), field)
            self.assertTrue((yield self.put(self.one)), field)
        self.assertGreater(self.one.statistics()["redis_garbage"], 0)

    @inlineCallbacks
    def test_scripts_are_forgotten(self) -> Steps:
        """SCRIPT FLUSH costs nobody a hit."""
        yield self.put(self.one)
        self.server.ask("SCRIPT", "FLUSH")
        self.assertTrue((yield self.found(self.one)))


class DoubtTests(TestCase):
    """What one proxy removes while another one fetches it."""

    skip = MISSING

    @inlineCallbacks
    def setUp(self) -> Generator[Deferred[Any], Any, None]:
        self.server = shared_server()
        self.prefix = b"doubt:" + os.urandom(4).hex().encode() + b":"
        self.one = yield opened(self, location(self.server), self.prefix)
        self.two = yield opened(self, location(self.server), self.prefix)

    @inlineCallbacks
    def leaves(self, at: Any = None) -> Any:
        """A request of one proxy leaves for upstream."""
        yield self.one.lookup(at or key(), select())
        return self.one.expect(at or key())

    @inlineCallbacks
    def brings(self, since: Any, at: Any = None) -> Any:
        """What it brings is stored, or not; either way it is what is found."""
        kept = yield self.one.put(at or key(), (), select(), entry(), BODY, 60, since)
        found = yield self.one.lookup(at or key(), select())
        self.assertEqual(found is not None, kept)
        yield self.one.remove(at or key())
        return kept

    @inlineCallbacks
    def test_nothing_happened(self) -> Steps:
        """What nobody doubts is stored, the very first answer too."""
        self.assertTrue((yield self.brings((yield self.leaves()))))

    @inlineCallbacks
    def test_removed(self) -> Steps:
        """What another one removed meanwhile is not stored, though nothing was there; other keys are."""
        for _ in range(2):
            since, others = (yield self.leaves()), (yield self.leaves(key(b"/other")))
            yield self.two.remove(key())
            self.assertFalse((yield self.brings(since)))
            self.assertTrue((yield self.brings(others, key(b"/other"))))
            self.assertTrue((yield self.brings((yield self.leaves()))))

    @inlineCallbacks
    def test_purged(self) -> Steps:
        """A purge is about what it names, and nothing else, whether something was there or not."""
        for purged, doubtful in (
            ((None, None, b""), True),
            (("openai", None, b""), True),
            ((None, "p1", b""), True),
            (("openai", "p1", b""), True),
            (("openai", "p1", b"/v1/mod"), True),
            ((None, None, b"/v1/models\0"), True),
            (("open", None, b""), False),
            (("", None, b""), False),
            ((None, "", b""), False),
            ((None, "p12", b""), False),
            (("openai", "p2", b""), False),
            (("openai", "p1", b"/v1/models/"), False),
        ):
            since = yield self.leaves()
            yield self.two.purge(*purged)
            self.assertEqual((yield self.brings(since)), not doubtful, purged)
            self.assertTrue((yield self.brings((yield self.leaves()))), purged)

    @inlineCallbacks
    def test_lost(self) -> Steps:
        """Where Redis has forgotten what became doubtful, what was on its way is not stored; the next answer is."""
        for lost, again in ((b"d", False), (b"d", True), (b"p", False), (b"p", True), (b"e", False), (b"e", True)):
            since = yield self.leaves()
            yield self.two.purge(None, None) if lost == b"p" else self.two.remove(key())
            self.server.ask("DEL", self.prefix + lost)
            if again:
                yield self.two.remove(key(b"/another"))
            self.assertFalse((yield self.brings(since)), (lost, again))
            self.assertTrue((yield self.brings((yield self.leaves()))), (lost, again))

    @inlineCallbacks
    def test_flushed(self) -> Steps:
        """Likewise where all is gone, and nothing came after it."""
        since = yield self.leaves()
        for name in self.server.ask("KEYS", self.prefix + b"*"):
            self.server.ask("DEL", name)
        self.assertFalse((yield self.brings(since)))
        self.assertTrue((yield self.brings((yield self.leaves()))))

    @inlineCallbacks
    def test_bounded(self) -> Steps:
        """The lists do not grow for ever; who was on the way for longer than they reach back stores nothing."""
        long_ago = yield self.leaves()
        for number in range(doubts.MOST_PURGED + 10):
            yield self.two._calls.run(scripts.DOUBT, self.two._keys.logs, doubts.purged("other", None, b"%d" % number))
        self.assertLessEqual(self.server.ask("ZCARD", self.prefix + b"p"), doubts.MOST_PURGED)
        self.assertFalse((yield self.brings(long_ago)))
        self.assertTrue((yield self.brings((yield self.leaves()))))
        for name in self.server.ask("KEYS", self.prefix + b"*"):
            self.assertNotEqual(self.server.ask("PTTL", name), -1, name)

    @inlineCallbacks
    def test_replaced_meanwhile(self) -> Steps:
        """A 304 about what another one has replaced by now changes nothing: no head gets another one's content."""
        yield self.one.put(key(), (), select(), entry(), BODY, 60)
        found = yield self.one.lookup(key(), select())
        yield self.two.put(key(), (), select(), entry(b'"new"'), BODY[::-1], 60)
        yield self.one.replace_head(key(), found, entry(b'"old"'), 60)
        found = yield self.one.lookup(key(), select())
        self.assertEqual((found.entry, found.body), (entry(b'"new"'), BODY[::-1]))


class FaultTests(TestCase):
    """A Redis that is killed, stopped, full or locked, one of its own for each test."""

    skip = MISSING

    def server(self, **settings: str) -> RedisServer:
        server = RedisServer(**settings).start()
        self.addCleanup(server.close)
        return server

    @inlineCallbacks
    def until_found(self, store: RedisStore) -> Steps:
        """Ask until it is a hit again; the store must come back by itself."""
        for _ in range(200):
            yield store.put(key(), (), select(), entry(), BODY, 60)
            found = yield store.lookup(key(), select())
            if found is not None:
                return
            yield pause(0.05)
        self.fail(f"never again: {store.statistics()}")

    @inlineCallbacks
    def misses(self, store: RedisStore, count: int = 50) -> Steps:
        for _ in range(count):
            self.assertIsNone((yield store.lookup(key(), select())))
            self.assertFalse((yield store.put(key(), (), select(), entry(), BODY, 60)))

    @inlineCallbacks
    def test_killed_and_restarted(self) -> Steps:
        """Without Redis every lookup is a miss at once; when it is back, so are the hits."""
        server = self.server()
        store = yield opened(self, location(server))
        yield self.until_found(store)
        server.kill()
        yield pause(0.05)
        yield self.misses(store)
        server.start()
        yield self.until_found(store)
        self.assertEqual(store.statistics()["redis_late"], 0)

    @inlineCallbacks
    def test_stopped(self) -> Steps:
        """A Redis that hangs makes a few requests wait a little and no more of them, and is used again by itself."""
        server = self.server()
        store = yield opened(self, location(server), timeout=1.0)
        yield self.until_found(store)
        before = store.statistics()["redis_late"]
        server.signal(signal.SIGSTOP)
        try:
            for _ in range(200):
                self.assertIsNone((yield store.lookup(key(), select())))
            self.assertIn(store.statistics()["redis_late"] - before, range(1, 6))
        finally:
            server.signal(signal.SIGCONT)
        yield self.until_found(store)

    @inlineCallbacks
    def test_not_there_at_the_start(self) -> Steps:
        """A proxy starts without its Redis, and uses it from when it is there."""
        server = self.server()
        server.kill()
        pool = RedisPool(reactor, Connector(reactor, location(server), 1.0, Poller(reactor)), 2, 1.0)
        store = RedisStore(reactor, pool, b"late:")
        store.start()
        self.addCleanup(store.stop)
        yield self.misses(store, 3)
        server.start()
        yield self.until_found(store)

    @inlineCallbacks
    def test_password(self) -> Steps:
        """With the right password it works; with a wrong one or none every lookup is a miss, and it is said once."""
        server = self.server(requirepass="right-canary")
        where = location(server)
        store = yield opened(self, evolve(where, password="right-canary"))
        yield self.until_found(store)
        logged: list[Any] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        for password in ("wrong-canary", None):
            pool = RedisPool(reactor, Connector(reactor, evolve(where, password=password), 1.0), 2, 1.0)
            self.addCleanup(pool.stop)
            pool.start()
            yield pause(0.3)
            yield self.misses(RedisStore(reactor, pool, b"x:"), 3)
            self.assertGreater(pool.errors["down"], 0, password)
        said = [formatEvent(event) for event in logged]
        self.assertEqual([line for line in said if "canary" in line], [])
        self.assertEqual(len([line for line in said if "WRONGPASS" in line]), 1)
        self.assertEqual(len([line for line in said if "NOAUTH" in line]), 1)

    @inlineCallbacks
    def test_full(self) -> Steps:
        """At maxmemory nothing more is stored, what is there is served, and it can be purged to make room."""
        server = self.server(maxmemory="4mb", maxmemory_policy="noeviction")
        store = yield opened(self, location(server))
        body = os.urandom(200_000)
        stored = []
        for number in range(40):
            stored.append((yield store.put(key(b"/%d" % number), (), select(), entry(), body, 60)))
        self.assertEqual((stored[0], stored[-1]), (True, False))
        self.assertEqual((yield store.lookup(key(b"/0"), select())).body, body)
        self.assertGreater(store.statistics()["redis_refused"], 0)
        server.ask("CONFIG", "SET", "maxmemory", "1mb")
        self.assertEqual((yield store.remove(key(b"/0"))), 1)
        self.assertEqual((yield store.purge(None, None)), stored.count(True) - 1)
        server.ask("CONFIG", "SET", "maxmemory", "4mb")
        self.assertTrue((yield store.put(key(), (), select(), entry(), body, 60)))

    @inlineCallbacks
    def test_cluster(self) -> Steps:
        """A node of a Redis Cluster is no place to store anything: misses, and a log that says so."""
        server = self.server(cluster_enabled="yes")
        server.ask("CLUSTER", "ADDSLOTS", *(str(number) for number in range(8000)))
        store = yield opened(self, location(server))
        said: list[str] = []
        store._pool.complain = lambda kind, why: said.append(why)
        self.assertFalse((yield store.put(key(), (), select(), entry(), BODY, 60)))
        self.assertIsNone((yield store.lookup(key(), select())))
        self.assertTrue(said)
        self.assertTrue(all("this is a node of a Redis Cluster" in why for why in said), said)

    @inlineCallbacks
    def test_evicting(self) -> Steps:
        """With an evicting policy answers are there after they were stored, and what a purge leaves is not found."""
        server = self.server(maxmemory="4mb", maxmemory_policy="allkeys-lru")
        store = yield opened(self, location(server))
        body = os.urandom(100_000)
        for number in range(100):
            yield store.put(key(b"/%d" % number), (), select(), entry(), body, 60)
        # Redis counts in seconds what was used last: any of these may be what it evicts.
        found = []
        for _ in range(10):
            yield store.put(key(b"/99"), (), select(), entry(), body, 60)
            found.append((yield store.lookup(key(b"/99"), select())))
        self.assertTrue(any(found))
        yield store.purge(None, None)
        for number in range(100):
            self.assertIsNone((yield store.lookup(key(b"/%d" % number), select())), number)

    @inlineCallbacks
    def test_tls(self) -> Steps:
        """C{rediss://} works with a certificate that is trusted, and with no other."""
        port, directory = free_port(), self.mktemp()
        certificate, private = make_certificate(directory)
        self.server(
            port="0", tls_port=str(port), tls_cert_file=certificate, tls_key_file=private, tls_auth_clients="no"
        )
        url = f"rediss://localhost:{port}/0"
        store = yield opened(self, parse_redis_url(f"{url}?ca_file={certificate}"))
        yield self.until_found(store)
        for wrong in (url, f"rediss://127.0.0.1:{port}/0?ca_file={certificate}"):
            failed = Connector(reactor, parse_redis_url(wrong), 1.0)()
            yield self.assertFailure(failed, RedisDown)
