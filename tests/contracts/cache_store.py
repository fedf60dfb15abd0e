"""What every L{ICacheStore} must do; each implementation runs all of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from zope.interface.verify import verifyObject

from llmproxy.core.caching.content import LARGE, Content, Pieces
from llmproxy.core.caching.entry import Entry, Found, Used
from llmproxy.core.caching.key import Key
from llmproxy.interfaces import ICacheStore

Names = tuple[bytes, ...]
Steps = Generator[Deferred[Any], Any, None]

BODY = bytes(range(256)) * 4


def entry(tag: bytes = b'"a"', **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "status": 200,
        "reason": b"OK",
        "fields": [(b"ETag", tag), (b"X-Bytes", b"\xff\x00")],
        "response_time": 1_700_000_000.5,
        "initial_age": 1.0,
        "lifetime": 60.0,
        "always_validate": False,
        "never_stale": True,
        "while_revalidate": 0.0,
        "if_error": 0.0,
        "size": len(BODY),
        "used": Used(30, output_tokens=12, served_model="m"),
    }
    return Entry(**(values | changes))


def key(target: bytes = b"/v1/models", tenant: str = "p1", api: str = "openai", body: bytes = b"") -> Key:
    return Key(api, tenant, b"POST" if body else b"GET", target, body)


def select(**values: bytes) -> Callable[[Names], bytes]:
    """Selects by these field values."""

    def variant(names: Names) -> bytes:
        parts = [name + b"=" + values.get(name.decode(), b"") for name in names]
        return sha256(b"&".join(parts)).digest()[:16] if parts else b""

    return variant


class CacheStoreContract:
    """Mixed into a TestCase that has C{store} and C{pass_time}."""

    store: ICacheStore
    pass_time: Callable[[float], Deferred[None]]
    assertEqual: Any
    assertIsNone: Any
    assertTrue: Any

    def put(
        self, at: Key, body: Content = BODY, names: Names = (), seconds: float = 60, **values: bytes
    ) -> Deferred[bool]:
        return self.store.put(at, names, select(**values), entry(), body, seconds)

    @inlineCallbacks
    def bodies(self, at: Key, **values: bytes) -> Generator[Deferred[Any], Any, Content | None]:
        found = yield self.store.lookup(at, select(**values))
        return found.body if found is not None and found.entry is not None else None

    def test_interface(self) -> None:
        """It can be put where a store belongs."""
        verifyObject(ICacheStore, self.store)

    @inlineCallbacks
    def test_nothing_stored(self) -> Steps:
        """A first request finds nothing."""
        self.assertIsNone((yield self.store.lookup(key(), select())))
        self.assertEqual((yield self.store.heads(key())), [])
        self.assertEqual((yield self.store.remove(key())), 0)

    @inlineCallbacks
    def test_complete(self) -> Steps:
        """A store that says that it knows all here and now does; what another one finds here, it would look up."""
        for stored in (False, True):
            if stored:
                self.assertTrue((yield self.put(key())), stored)
            found = self.store.found(key(), select())
            looked_up = yield self.store.lookup(key(), select())
            self.assertEqual((found is not None and found.entry is not None) <= stored, True, stored)
            if self.store.complete:
                self.assertEqual((found is None, found), (not stored, looked_up), stored)

    @inlineCallbacks
    def test_bytes_come_back(self) -> Steps:
        """Head and body are what they were, byte for byte."""
        self.assertTrue((yield self.put(key())))
        found = yield self.store.lookup(key(), select())
        self.assertEqual(found.entry, entry())
        self.assertEqual(found.body, BODY)

    @inlineCallbacks
    def test_empty_body(self) -> Steps:
        """A redirection has none."""
        yield self.put(key(), b"")
        self.assertEqual((yield self.bodies(key())), b"")

    @inlineCallbacks
    def test_large_body(self) -> Steps:
        """A large one comes in pieces, and is the same; one above C{largest} is refused."""
        pieces = [bytes([number]) * (LARGE // 2) for number in range(3)]
        self.assertTrue((yield self.put(key(), Pieces(pieces))))
        body = yield self.bodies(key())
        self.assertEqual((len(body), bytes(body) == b"".join(pieces)), (3 * (LARGE // 2), True))
        self.assertEqual((yield self.put(key(), Pieces([bytes(self.store.largest), b"1"]))), False)

    @inlineCallbacks
    def test_keys_are_apart(self) -> Steps:
        """W1: neither tenant nor API nor body of another is ever found."""
        yield self.put(key())
        for other in (key(tenant="p2"), key(api="other"), key(b"/v1/model"), key(body=b"x")):
            self.assertIsNone((yield self.store.lookup(other, select())), other)

    @inlineCallbacks
    def test_variants(self) -> Steps:
        """Each request finds its own variant, and a third is told that there are others."""
        names = (b"accept",)
        yield self.put(key(), b"one", names, accept=b"1")
        yield self.put(key(), b"two", names, accept=b"2")
        self.assertEqual((yield self.bodies(key(), accept=b"1")), b"one")
        self.assertEqual((yield self.bodies(key(), accept=b"2")), b"two")
        missed = yield self.store.lookup(key(), select(accept=b"3"))
        self.assertIsNone(missed.entry)

    @inlineCallbacks
    def test_replaced(self) -> Steps:
        """The later answer counts."""
        yield self.put(key(), b"one")
        yield self.put(key(), b"two")
        self.assertEqual((yield self.bodies(key())), b"two")
        self.assertEqual(len((yield self.store.heads(key()))), 1)

    @inlineCallbacks
    def test_vary_grows(self) -> Steps:
        """Once a field has told answers apart it goes on doing so; what was stored without it is let go."""
        yield self.put(key(), b"one", (b"accept",), accept=b"1")
        yield self.put(key(), b"two", (b"origin",), accept=b"1", origin=b"o")
        self.assertEqual((yield self.bodies(key(), accept=b"1", origin=b"o")), b"two")
        self.assertIsNone((yield self.bodies(key(), accept=b"1")))
        yield self.put(key(), b"three", (), accept=b"1")
        self.assertEqual((yield self.bodies(key(), accept=b"1")), b"three")
        self.assertEqual((yield self.bodies(key(), accept=b"1", origin=b"o")), b"two")

    @inlineCallbacks
    def test_expires(self) -> Steps:
        """What nobody can use any more is gone."""
        yield self.put(key(), seconds=1)
        yield self.pass_time(1.2)
        found = yield self.store.lookup(key(), select())
        self.assertTrue(found is None or found.entry is None)

    @inlineCallbacks
    def test_replace_head(self) -> Steps:
        """A 304 makes an answer fresh again without its content being sent."""
        yield self.put(key(), b"one", (b"accept",), accept=b"1")
        yield self.put(key(), b"two", (b"accept",), accept=b"2")
        heads = yield self.store.heads(key())
        self.assertEqual([head for _, head in heads], [entry(), entry()])
        found = yield self.store.lookup(key(), select(accept=b"1"))
        yield self.store.replace_head(key(), found, entry(b'"b"'), 60)
        found = yield self.store.lookup(key(), select(accept=b"1"))
        self.assertEqual((found.entry, found.body), (entry(b'"b"'), b"one"))
        found = yield self.store.lookup(key(), select(accept=b"2"))
        self.assertEqual((found.entry, found.body), (entry(), b"two"))

    @inlineCallbacks
    def test_replace_head_of_another(self) -> Steps:
        """A 304 about what has been replaced by now changes nothing: no content comes under another one's head."""
        yield self.put(key(), b"one")
        found = yield self.store.lookup(key(), select())
        yield self.store.put(key(), (), select(), entry(b'"b"'), b"two", 60)
        yield self.store.replace_head(key(), found, entry(b'"c"'), 60)
        found = yield self.store.lookup(key(), select())
        self.assertEqual((found.entry, found.body), (entry(b'"b"'), b"two"))

    @inlineCallbacks
    def test_replace_head_of_nothing(self) -> Steps:
        """What went meanwhile does not come back without its content."""
        yield self.store.replace_head(key(), Found(entry()), entry(), 60)
        found = yield self.store.lookup(key(), select())
        self.assertTrue(found is None or found.entry is None)
        yield self.put(key(), b"one", (b"accept",), accept=b"1")
        yield self.store.replace_head(key(), Found(entry(), b"", b"x" * 16), entry(), 60)
        self.assertEqual(len((yield self.store.heads(key()))), 1)

    @inlineCallbacks
    def test_remove(self) -> Steps:
        """Every variant goes at once."""
        yield self.put(key(), b"one", (b"accept",), accept=b"1")
        yield self.put(key(), b"two", (b"accept",), accept=b"2")
        yield self.put(key(b"/other"))
        self.assertEqual((yield self.store.remove(key())), 1)
        self.assertIsNone((yield self.store.lookup(key(), select(accept=b"1"))))
        self.assertEqual((yield self.bodies(key(b"/other"))), BODY)

    @inlineCallbacks
    def fill(self) -> Steps:
        for at in (
            key(b"/v1/models"),
            key(b"/v1/models?x=1"),
            key(b"/v1/models*"),
            key(b"/v1/files"),
            key(b"/v1/models", tenant="p2"),
            key(b"/v1/models", api="other"),
            key(b"/v1/chat", body=b"h1" * 16),
            key(b"/v1/chat", body=b"h2" * 16),
        ):
            yield self.put(at)

    @inlineCallbacks
    def test_purge(self) -> Steps:
        """W25: exact, by prefix, by project and everything; the count is what was there."""
        for arguments, expected in (
            (("openai", "p1", b"/v1/models\0"), 1),
            (("openai", None, b"/v1/models\0"), 2),
            (("openai", "p1", b"/v1/models"), 3),
            (("openai", "p1", b"/v1/models*"), 1),
            (("openai", "p1", b"/v1/chat\0"), 2),
            (("openai", "p1", b"/v2"), 0),
            ((None, "p2", b""), 1),
            ((None, "p1", b""), 7),
            (("other", None, b""), 1),
            ((None, None, b""), 8),
        ):
            yield self.store.purge(None, None)
            yield self.fill()
            self.assertEqual((yield self.store.purge(*arguments)), expected, arguments)
            self.assertEqual((yield self.store.purge(None, None)), 8 - expected, arguments)

    @inlineCallbacks
    def test_purged_is_gone(self) -> Steps:
        """After a purge nothing of it is served, and the next answer is stored again."""
        yield self.fill()
        yield self.store.purge("openai", "p1", b"/v1/mo")
        self.assertIsNone((yield self.store.lookup(key(), select())))
        self.assertEqual((yield self.bodies(key(tenant="p2"))), BODY)
        yield self.put(key(), b"again")
        self.assertEqual((yield self.bodies(key())), b"again")

    @inlineCallbacks
    def test_statistics(self) -> Steps:
        """Operators see numbers."""
        yield self.put(key())
        numbers = self.store.statistics()
        self.assertEqual({"entries", "bytes", "evictions", "errors"} - set(numbers), set())

    @inlineCallbacks
    def test_may_hold(self) -> Steps:
        """Whoever asks whether there may be something is never told no where there is."""
        yield self.put(key())
        self.assertTrue(self.store.may_hold(b"/v1/models"))
        yield self.store.replace_head(key(), Found(entry()), entry(b'"b"'), 60)
        self.assertTrue(self.store.may_hold(b"/v1/models"))

    def test_expected(self) -> None:
        """Nor is it told no where there will be something as soon as upstream has answered."""
        self.store.expect(key(b"/v1/files"))
        self.store.expect(key(b"/v1/files"))
        self.store.expect(key(b"/v1/x", body=b"1"))
        self.store.settle(key(b"/v1/files"))
        self.assertTrue(self.store.may_hold(b"/v1/files"))
        self.store.settle(key(b"/v1/files"))
        self.store.settle(key(b"/v1/x", body=b"1"))

    @inlineCallbacks
    def test_count(self) -> Steps:
        """How many keys there are; a copy is not counted twice."""
        self.assertEqual((yield self.store.count()), 0)
        yield self.fill()
        yield self.bodies(key())
        self.assertEqual((yield self.store.count()), 8)

    @inlineCallbacks
    def test_forget(self) -> Steps:
        """What this process holds of what another has purged is answered no more; what is gone for good is counted."""
        yield self.fill()
        yield self.bodies(key())
        gone = self.store.forget("openai", "p1", b"/v1/models")
        left = yield self.store.purge(None, None)
        self.assertEqual((gone + left, gone in (0, 3)), (8, True))
