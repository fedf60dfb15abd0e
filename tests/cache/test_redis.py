"""The store over Redis: what it does with what is answered, and without an answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.cache import redis, scripts
from llmproxy.cache.encoding import encode_head
from llmproxy.cache.redis import LARGEST, UNKNOWN, RedisStore
from llmproxy.core.caching.content import Pieces
from llmproxy.core.caching.entry import Found
from llmproxy.errors import Unavailable
from llmproxy.interfaces import ICacheStore
from llmproxy.redis.connection import RedisRefused
from llmproxy.redis.pool import PATIENCE, RedisPool

from ..contracts.cache_store import BODY, entry, key, select
from ..tables import row
from .fakeredis import FakeConnection, FakeConnector

HEAD = bytes(8) + encode_head(entry(), len(BODY))
EPOCH = b"1700000000000000"


def stored(names: bytes | None = b"", head: Any = None, body: Any = None, epoch: Any = EPOCH) -> Any:
    """What Redis has of a key; no names are nothing."""
    generations = (b"r1", b"g1", epoch)
    return [None if names is None else b"r1g1", names, head, body], list(generations)


NOTHING = stored(None)


class StoreTestCase(SynchronousTestCase):
    """A store whose Redis the test is."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.connector = FakeConnector()
        self.pool = RedisPool(self.clock, self.connector, 1, 1.0)
        self.pool._complaints.say = lambda kind, why: None  # type: ignore[method-assign]
        self.store = RedisStore(self.clock, self.pool, b"p:")
        self.store.start()
        self.addCleanup(self.store.stop)

    @property
    def redis(self) -> FakeConnection:
        return self.connector.connections[-1]

    def lookup(self, **values: bytes) -> Deferred[Any]:
        return self.store.lookup(key(), select(**values))

    def put(self, names: tuple[bytes, ...] = (), **values: bytes) -> Deferred[bool]:
        return self.store.put(key(), names, select(**values), entry(), BODY, 60)


class RedisStoreTests(StoreTestCase):
    def test_interface(self) -> None:
        """It can be put where a store belongs."""
        verifyObject(ICacheStore, self.store)

    def test_too_large(self) -> None:
        """What could not be looked up in time is not sent."""
        body = Pieces([bytes(LARGEST), b"1"])
        self.assertFalse(self.successResultOf(self.store.put(key(), (), select(), entry(), body, 60)))
        self.assertEqual(self.redis.sent, [])

    def test_one_round_trip(self) -> None:
        """A hit costs one command."""
        found = self.lookup()
        self.redis.answer(stored(b"", HEAD, BODY))
        found = self.successResultOf(found)
        self.assertEqual((found.entry, found.body), (entry(), BODY))
        self.assertEqual(len(self.redis.sent), 1)

    def test_names_are_remembered(self) -> None:
        """A key with variants costs a second command once, not each time."""
        found = self.lookup(accept=b"1")
        self.redis.answer(stored(b"accept"))
        self.redis.answer(stored(b"accept", HEAD, BODY))
        self.assertEqual(self.successResultOf(found).names, (b"accept",))
        found = self.lookup(accept=b"2")
        self.redis.answer(stored(b"accept"))
        self.assertIsNone(self.successResultOf(found).entry)
        self.assertEqual(len(self.redis.sent), 3)

    def test_remembered_names_are_bounded(self) -> None:
        """A million keys with variants fill Redis, not this process."""
        self.patch(redis, "MOST_KNOWN", 3)
        for number in range(5):
            self.store.lookup(key(b"/%d" % number), select())
            self.redis.answer(stored(b"accept"))
            self.redis.answer(stored(b"accept"))
        self.assertEqual(len(self.store._names), 3)

    def test_names_change_all_the_time(self) -> None:
        """Nobody is asked a third time."""
        found = self.lookup()
        self.redis.answer(stored(b"a"))
        self.redis.answer(stored(b"b"))
        self.assertIsNone(self.successResultOf(found))

    def test_script_is_unknown(self) -> None:
        """After a restart Redis knows no script; it is told, and what is stored is stored all the same."""
        kept = self.put()
        self.redis.refuse("NOSCRIPT No matching script. Please use EVAL.")
        self.assertEqual(self.redis.sent[1][:2], [b"EVAL", scripts.PUT.source])
        self.redis.answer(1)
        self.assertTrue(self.successResultOf(kept))

    def test_purged_meanwhile(self) -> None:
        """What was stored under generations that are over is not found."""
        for generations in ([b"r2", b"g1", EPOCH], [b"r1", None, EPOCH], [None, None, EPOCH]):
            found = self.lookup()
            self.redis.answer((stored(b"", HEAD, BODY)[0], generations))
            self.assertIsNone(self.successResultOf(found), generations)

    def test_epoch(self) -> None:
        """Each lookup tells the epoch, and who goes to upstream next goes with it; who knew none stores nothing."""
        self.assertEqual(self.store.expect(key()), UNKNOWN)
        self.lookup()
        self.redis.answer(NOTHING)
        self.assertEqual(self.store.expect(key()), EPOCH)
        self.store.put(key(), (), select(), entry(), BODY, 60, EPOCH)
        self.assertEqual(self.redis.sent[-1][-1], EPOCH)
        self.redis.answer(0)

    def test_epoch_begins(self) -> None:
        """Where Redis has none, one begins before the request leaves; the lookup finds what it found."""
        for epoch in (None, b"garbage"):
            found = self.lookup()
            self.redis.answer(stored(b"", HEAD, BODY, epoch))
            with row(epoch):
                self.assertNoResult(found)
            self.assertEqual(self.redis.sent[-1][1], scripts.EPOCH.sha, epoch)
            self.redis.answer(b"1700000000000001")
            self.assertEqual(self.successResultOf(found).body, BODY, epoch)
            self.assertEqual(self.store.expect(key()), b"1700000000000001", epoch)
            self.clock.advance(1)

    def test_epoch_begins_for_all(self) -> None:
        """Those who come at the same time wait for the one epoch, and what they bring is stored like any other."""
        found = [self.store.lookup(key(b"/%d" % number), select()) for number in range(3)]
        for _ in found:
            self.redis.answer(stored(None, epoch=None))
        self.assertEqual([words[1] for words in self.redis.sent[3:]], [scripts.EPOCH.sha])
        self.redis.answer(EPOCH)
        self.assertEqual([self.successResultOf(each) for each in found], [None] * 3)
        self.assertEqual(self.store.expect(key()), EPOCH)

    def test_epoch_cannot_begin(self) -> None:
        """A Redis that cannot be written to is asked for it once a second, and not with every request."""
        asked = []
        for _ in range(3):
            found = self.lookup()
            self.redis.answer(stored(None, epoch=None))
            if self.redis.sent[-1][1] == scripts.EPOCH.sha:
                asked.append(self.clock.seconds())
                self.redis.refuse("READONLY You can't write against a read only replica.")
            self.assertIsNone(self.successResultOf(found))
            self.assertEqual(self.store.expect(key()), UNKNOWN)
            self.clock.advance(0.6)
        self.assertEqual(asked, [0.0, 1.2])

    def test_cluster(self) -> None:
        """A node of a cluster sends us elsewhere: that is a miss, and the log says what is wrong."""
        said: list[str] = []
        self.pool.complain = lambda kind, why: said.append(f"{kind}: {why}")  # type: ignore[method-assign]
        for text in ("MOVED 3999 127.0.0.1:6381", "CROSSSLOT Keys in request don't hash to the same slot"):
            found = self.lookup()
            self.redis.refuse(text)
            self.assertIsNone(self.successResultOf(found), text)
            self.assertIn(f"refused: {text}: this is a node of a Redis Cluster", said.pop())

    def test_two_round_trips_share_the_time(self) -> None:
        """However often Redis is asked for one request, the request waits no longer."""
        found = self.lookup()
        self.clock.advance(PATIENCE / 2)
        self.redis.answer(stored(b"accept"))
        self.clock.pump([PATIENCE / 2, 0])
        self.assertIsNone(self.successResultOf(found))

    def test_garbage(self) -> None:
        """Whatever stands there, it is a miss, and counted."""
        for reply in (
            stored(b"", b"", b""),
            stored(b"", HEAD, BODY[:-1]),
            stored(b"", b"garbage", BODY),
            stored(b"", HEAD[:-1], BODY),
            stored(b"", 5, 7),
            ([], []),
            (17, 17),
            ([None, None], [None]),
            b"text",
        ):
            found = self.lookup()
            self.redis.answer(reply)
            self.assertIsNone(self.successResultOf(found), reply)
        self.assertEqual(self.pool.errors["garbage"], 9)

    def test_error_reply(self) -> None:
        """A key of another type, a server without memory, a command that is not allowed: a miss, and counted."""
        found, kept = self.lookup(), self.put()
        self.redis.refuse("WRONGTYPE Operation against a key holding the wrong kind of value")
        self.redis.refuse("OOM command not allowed when used memory > 'maxmemory'.")
        self.assertIsNone(self.successResultOf(found))
        self.assertFalse(self.successResultOf(kept))
        self.assertEqual(self.pool.errors["refused"], 2)

    def test_down(self) -> None:
        """Without Redis everything is a miss, at once; only who purges is told that it cannot be done."""
        self.connector.failure = OSError("refused")
        self.redis.abort()
        self.assertIsNone(self.successResultOf(self.lookup()))
        self.assertFalse(self.successResultOf(self.put()))
        self.assertEqual(self.successResultOf(self.store.heads(key())), [])
        self.assertIsNone(self.successResultOf(self.store.replace_head(key(), Found(entry()), entry(), 60)))
        self.assertIsNone(self.successResultOf(self.store.count()))
        self.failureResultOf(self.store.purge(None, None), Unavailable)

    def test_purges_in_parts(self) -> None:
        """A purge of very much keeps nobody waiting for long."""
        purged = self.store.purge("openai", "p1", b"/v1")
        self.redis.answer(None)
        self.redis.answer([400, 500])
        self.redis.answer([20, 20])
        self.assertEqual(self.successResultOf(purged), 420)

    def test_nobody_else_is_looked_at(self) -> None:
        """A purge asks for the keys of its own scopes and for no others."""
        purged = self.store.purge("openai", None, b"/v1/\xff")
        self.redis.answer(None)
        self.redis.answer([b"openai\0p1", b"other\0p1", b"openai\0p2", b"\xff"])
        self.redis.answer([1, 1])
        self.redis.answer([1, 1])
        self.assertEqual(self.successResultOf(purged), 2)
        asked = [words[3:8] for words in self.redis.sent[2:]]
        self.assertEqual([words[1] for words in asked], [b"p:lopenai\0p1", b"p:lopenai\0p2"])
        self.assertEqual(asked[0][3:], [b"[/v1/\xff", b"(/v10"])
        self.assertFalse(any(word in (b"KEYS", b"SCAN") for words in self.redis.sent for word in words))

    def test_purge_that_breaks_off(self) -> None:
        """Half a purge is not taken for a whole one."""
        purged = self.store.purge(None, None)
        self.redis.answer(None)
        self.redis.answer([b"openai\0p1"])
        self.redis.refuse("BUSY Redis is busy running a script")
        self.failureResultOf(purged, Unavailable)

    def test_variants_that_others_know(self) -> None:
        """Names that another proxy stored by are learned while storing."""
        kept = self.put((b"accept",), accept=b"1", origin=b"o")
        self.redis.answer(b"origin")
        self.redis.answer(1)
        self.assertTrue(self.successResultOf(kept))
        first, second = self.redis.sent
        self.assertEqual((first[12], second[12]), (b"accept", b"accept\norigin"))
        self.assertEqual(second[13], select(accept=b"1", origin=b"o")((b"accept", b"origin")))

    def test_names_never_settle(self) -> None:
        """A Redis that says anything is not believed for ever."""
        kept = self.put()
        for number in range(3):
            self.redis.answer(b"n%d" % number)
        self.assertFalse(self.successResultOf(kept))
        self.assertEqual(len(self.redis.sent), 3)

    def test_binary(self) -> None:
        """W24: content is stored as it is, without base64."""
        self.put()
        self.assertIn(BODY, self.redis.sent[0])
        self.assertEqual(self.redis.sent[0][16], b"60000")

    def test_statistics(self) -> None:
        """Operators see how long Redis took, and what went wrong by kind."""
        found = self.lookup()
        self.clock.advance(0.03125)
        self.redis.answer(NOTHING)
        self.assertIsNone(self.successResultOf(found))
        self.redis.answers = lambda words: RedisRefused("no")
        self.lookup()
        numbers = self.store.statistics()
        self.assertEqual((numbers["redis_calls"], numbers["redis_seconds"]), (2, 0.03125))
        self.assertEqual((numbers["redis_refused"], numbers["errors"]), (1, 1))
        self.assertEqual(numbers["redis_connections"], 1)


class SourceTests(SynchronousTestCase):
    def test_names_of_scripts(self) -> None:
        """Each script is filed under its own name."""
        found = [value for value in vars(scripts).values() if isinstance(value, scripts.Script)]
        self.assertEqual(len({script.sha for script in found}), 9)
        for script in found:
            self.assertNotIn(b"KEYS *", script.source)
            self.assertNotIn(b"'SCAN'", script.source)
