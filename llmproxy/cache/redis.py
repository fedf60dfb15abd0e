"""Stored responses in Redis, shared by all proxies that use the same one with the same prefix."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList
from zope.interface import implementer

from ..core.caching.entry import Entry, Found, pack
from ..errors import Unavailable
from ..interfaces import ICacheStore
from . import scripts
from .connection import RedisDown, RedisRefused
from .encoding import command, decode_head, encode_head, join_names, split_names
from .scripts import Script

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..core.caching.content import Content
    from ..core.caching.key import Key
    from ..interfaces import Select
    from .pool import RedisPool

MOST_KNOWN = 10_000
"""Keys whose names are remembered here, so that a lookup knows the variant and asks once."""

GATHERED = 0.1
"""Seconds within which removals are sent together: every POST to an API asks for one, mostly of the same key."""

MOST_SCOPES = 10_000
"""Of which the names of keys are made once."""

LARGEST = 4 * 1024 * 1024
"""
Bytes of a body. A lookup must bring it within 45 ms, which a link of 1 Gbit/s can; a larger one would be a miss each
time, and after some of them in a row Redis would be left alone as one that does not answer. Nor does one hold up our
reactor, or Redis, for longer than others notice.
"""

MOST_OWED = 10_000
"""Keys that could not be removed while Redis was away; beyond, everything is purged when it is back."""


@frozen
class _Scope:
    """
    The keys that belong to an API and a tenant.

    @ivar wire: the generations, as a lookup sends them.
    """

    name: bytes
    generation: bytes
    members: bytes
    expiries: bytes
    wire: bytes


@define(eq=False, slots=True)
class _Removal:
    """A key that is to go, and who wants to know."""

    key: Key
    sent: bool = False
    waiting: list[Deferred[int]] = field(factory=list)


@implementer(ICacheStore)
class RedisStore:
    """
    A lookup is one round trip; a second one where the names that tell variants apart were not known here.

    What cannot be removed because Redis is away is removed when it is back, and is not found by this process until
    then.

    @param prefix: what all keys begin with.
    """

    def __init__(self, clock: Any, pool: RedisPool, prefix: bytes) -> None:
        self.largest = LARGEST
        self._clock = clock
        self._pool = pool
        self._prefix = prefix
        self._root = prefix + b"r"
        self._scopes = prefix + b"s"
        self._known_scopes: dict[tuple[str, str], _Scope] = {}
        # The object's key follows, which always has the same length.
        self._asking = command(b"EVALSHA", scripts.LOOKUP.sha, b"3").replace(b"*3", b"*8") + b"$%d\r\n%so" % (
            len(prefix) + 33,
            prefix,
        )
        self._names: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()
        self._leaving: dict[bytes, _Removal] = {}
        self._gathering: Any = None
        self._owed: dict[bytes, Key] = {}
        self._owes_everything = False
        self._paying = False
        pool.on_connect = self._pay

    # -- ICacheStore

    def start(self) -> None:
        self._pool.start()

    def stop(self) -> Deferred[None]:
        if self._gathering is not None:
            self._gathering.cancel()
        self._send_removals()
        self._gathering.cancel()
        self._gathering = None
        leaving = [waiting for removal in self._leaving.values() for waiting in removal.waiting]
        told = self._pool.in_time(DeferredList(leaving), None)
        return told.addCallback(lambda _: self._pool.stop())

    def found(self, key: Key, select: Select) -> None:
        """Nothing is known here."""

    def lookup(self, key: Key, select: Select) -> Deferred[Found | None]:
        if self._is_owed(key):
            return _now(None)
        names = self._names.get(key.digest, ())
        variant = select(names) if names else b""
        asking = self._ask(key, names, variant)
        asking.addCallback(self._found, key, select, names, variant).addErrback(self._failed, None)
        return self._pool.in_time(asking, None)

    def put(
        self, key: Key, names: tuple[bytes, ...], select: Select, entry: Entry, body: Content, seconds: float
    ) -> Deferred[bool]:
        if len(body) > LARGEST:
            return _now(False)
        return self._safely(self._put(key, names, select, entry, body, seconds), False)

    def heads(self, key: Key) -> Deferred[list[tuple[bytes, Entry]]]:
        nothing: list[tuple[bytes, Entry]] = []
        if self._is_owed(key):
            return _now(nothing)
        return self._pool.in_time(self._safely(self._heads(key), nothing), nothing)

    def replace_head(self, key: Key, variant: bytes, entry: Entry, seconds: float) -> Deferred[None]:
        return self._safely(self._replace_head(key, variant, entry, seconds), None)

    def remove(self, key: Key) -> Deferred[int]:
        self._names.pop(key.digest, None)
        leaving = self._leaving.get(key.digest)
        if leaving is None or leaving.sent:
            leaving = self._leaving[key.digest] = _Removal(key)
        waiting: Deferred[int] = Deferred()
        leaving.waiting.append(waiting)
        if self._gathering is None:
            self._send_removals()
        return waiting

    def purge(self, api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        return Deferred.fromCoroutine(self._purge(api, tenant, start)).addErrback(self._not_purged)

    def may_hold(self, target: bytes | None) -> bool:
        # What others have stored is known to Redis alone.
        return True

    def expect(self, key: Key) -> None:
        """See L{may_hold}."""

    def settle(self, key: Key) -> None:
        """See L{may_hold}."""

    def statistics(self) -> dict[str, float]:
        pool = self._pool
        return {
            "entries": 0,
            "bytes": 0,
            "evictions": 0,
            "errors": sum(pool.errors.values()),
            **{f"redis_{kind}": count for kind, count in pool.errors.items()},
            "redis_calls": pool.calls,
            "redis_seconds": pool.seconds,
            "redis_connections": pool.connected,
        }

    def forget(self, api: str | None, tenant: str | None, start: bytes = b"") -> int:
        self._names.clear()
        return 0

    def count(self) -> Deferred[int | None]:
        counting = self._run(scripts.COUNT, (self._scopes,), self._prefix + b"x")
        return self._pool.in_time(counting.addCallbacks(int, self._failed, errbackArgs=(None,)), None)

    # -- lookups

    def _ask(self, key: Key, names: tuple[bytes, ...], variant: bytes) -> Deferred[Any]:
        scope = self._scope(key.api, key.tenant)
        text = join_names(names)
        data = b"%s%s\r\n%s$%d\r\n%s\r\n$%d\r\n%s\r\n" % (
            self._asking,
            key.digest,
            scope.wire,
            len(variant),
            variant,
            len(text),
            text,
        )
        return self._pool.call(data).addErrback(self._not_asked, key, scope, variant, text)

    def _not_asked(self, reason: Any, key: Key, scope: _Scope, variant: bytes, names: bytes) -> Any:
        rest = (b"3", self._object(key), self._root, scope.generation, variant, names)
        return self._unknown(reason, scripts.LOOKUP, rest)

    def _found(
        self, reply: Any, key: Key, select: Select, asked: tuple[bytes, ...], variant: bytes, again: bool = True
    ) -> Any:
        if reply is None:
            return None
        names = split_names(reply[0])
        if names != asked:
            self._remember(key, names)
            if not again:
                return None
            variant = select(names) if names else b""
            return self._ask(key, names, variant).addCallback(self._found, key, select, names, variant, False)
        if len(reply) == 1:
            return Found(None, names=names)
        entry = decode_head(reply[1], len(reply[2]))
        if entry is None:
            self._pool.complain("garbage", "something else than a stored response is in its place")
            return None
        return Found(entry, reply[2], variant, names)

    async def _heads(self, key: Key) -> list[tuple[bytes, Entry]]:
        scope = self._scope(key.api, key.tenant)
        reply = await self._run(scripts.HEADS, (self._object(key), self._root, scope.generation))
        found = [(variant, decode_head(head)) for variant, head in zip(reply[::2], reply[1::2], strict=True)]
        return [(variant, entry) for variant, entry in found if entry is not None]

    # -- changes

    async def _put(
        self, key: Key, names: tuple[bytes, ...], select: Select, entry: Entry, body: Content, seconds: float
    ) -> bool:
        lifetime = _milliseconds(seconds)
        head = encode_head(entry, len(body))
        names = tuple(sorted({*names, *self._names.get(key.digest, ())}))
        # The names that are known there only ever grow, and each time is told which are missing here.
        for _ in range(3):
            variant = select(names) if names else b""
            arguments = (join_names(names), variant, head, body, lifetime, _member(key))
            scope = self._scope(key.api, key.tenant)
            reply = await self._run(scripts.PUT, self._keys(key, scope), *arguments, scope.name, os.urandom(8))
            if isinstance(reply, int):
                self._remember(key, names)
                return True
            names = tuple(sorted({*names, *split_names(reply)}))
        return False

    async def _replace_head(self, key: Key, variant: bytes, entry: Entry, seconds: float) -> None:
        scope = self._scope(key.api, key.tenant)
        arguments = (variant, pack(entry), _milliseconds(seconds), _member(key), scope.name)
        await self._run(scripts.REPLACE_HEAD, self._keys(key, scope), *arguments)

    async def _purge(self, api: str | None, tenant: str | None, start: bytes) -> int:
        count = 0
        self._names.clear()
        for scope in await self._matching(api, tenant):
            count += await self._purge_scope(scope, start)
        if api is None and tenant is None and not start:
            self._owed.clear()
            self._owes_everything = False
        return count

    async def _matching(self, api: str | None, tenant: str | None) -> list[_Scope]:
        if api is not None and tenant is not None:
            return [self._scope(api, tenant)]
        found = []
        for name in await self._run(scripts.SCOPES, (self._root, self._scopes)):
            its_api, _, its_tenant = name.decode("utf-8", "replace").partition("\0")
            if api in (None, its_api) and tenant in (None, its_tenant):
                found.append(self._scope_named(name))
        return found

    async def _purge_scope(self, scope: _Scope, start: bytes) -> int:
        count = 0
        first, last = b"[" + start, _behind(start)
        keys = (scope.generation, scope.members, scope.expiries)
        while True:
            gone, seen = await self._run(scripts.PURGE, keys, first, last, self._prefix + b"o")
            count += gone
            if seen < scripts.BATCH:
                return count

    # -- removals

    def _is_owed(self, key: Key) -> bool:
        """Whether what is stored should not be there any more."""
        return self._owes_everything or key.digest in self._leaving or key.digest in self._owed

    def _send_removals(self) -> None:
        """The first at once; what comes within L{GATHERED} then, together."""
        self._gathering = self._clock.callLater(GATHERED, self._gathered)
        for leaving in list(self._leaving.values()):
            if not leaving.sent:
                leaving.sent = True
                self._remove(leaving.key).addBoth(self._removed, leaving)

    def _gathered(self) -> None:
        self._gathering = None
        if any(not leaving.sent for leaving in self._leaving.values()):
            self._send_removals()

    def _remove(self, key: Key) -> Deferred[int]:
        scope = self._scope(key.api, key.tenant)
        keys = (self._object(key), scope.members, scope.expiries)
        return self._run(scripts.REMOVE, keys, _member(key)).addCallback(int)

    def _removed(self, result: Any, leaving: _Removal) -> None:
        if self._leaving.get(leaving.key.digest) is leaving:
            del self._leaving[leaving.key.digest]
        if not isinstance(result, int):
            self._owe(leaving.key)
            result = self._failed(result, 0)
        for waiting in leaving.waiting:
            waiting.callback(result)

    def _owe(self, key: Key) -> None:
        """It is still to be removed; it will be, when Redis is back."""
        if len(self._owed) >= MOST_OWED:
            self._owes_everything = True
            self._owed.clear()
        elif not self._owes_everything:
            self._owed[key.digest] = key

    def _pay(self) -> None:
        if self._paying or not (self._owed or self._owes_everything):
            return
        self._paying = True

        def paid(_: object) -> None:
            self._paying = False

        self._safely(self._repay(), None).addBoth(paid)

    async def _repay(self) -> None:
        if self._owes_everything:
            await self._purge(None, None, b"")
        for digest, key in list(self._owed.items()):
            await self._remove(key)
            self._owed.pop(digest, None)

    # -- the wire

    def _run(self, script: Script, keys: tuple[bytes, ...], *arguments: Content) -> Deferred[Any]:
        rest = (b"%d" % len(keys), *keys, *arguments)
        return self._pool.call(command(b"EVALSHA", script.sha, *rest)).addErrback(self._unknown, script, rest)

    def _unknown(self, reason: Any, script: Script, rest: tuple[Content, ...]) -> Any:
        """Redis has been started anew, or has never seen this script."""
        if reason.check(RedisRefused) and str(reason.value).startswith("NOSCRIPT"):
            return self._pool.call(command(b"EVAL", script.source, *rest))
        return reason

    def _safely(self, work: Coroutine[Deferred[Any], Any, Any], otherwise: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(work).addErrback(self._failed, otherwise)

    def _failed(self, reason: Any, otherwise: Any) -> Any:
        """A fault of Redis is nobody's but ours; one of our own is told, and is no fault of the request either."""
        if reason.check(RedisRefused):
            self._pool.complain("refused", str(reason.value)[:200])
        elif not reason.check(RedisDown):
            self._pool.complain("garbage", f"an answer was not understood: {reason.getErrorMessage()[:200]}")
        return otherwise

    def _not_purged(self, reason: Any) -> Any:
        self._failed(reason, None)
        raise Unavailable("the cache cannot be purged now: Redis cannot be asked") from reason.value

    def _remember(self, key: Key, names: tuple[bytes, ...]) -> None:
        if not names:
            self._names.pop(key.digest, None)
            return
        self._names[key.digest] = names
        self._names.move_to_end(key.digest)
        if len(self._names) > MOST_KNOWN:
            self._names.popitem(last=False)

    # -- keys

    def _object(self, key: Key) -> bytes:
        return b"%so%s" % (self._prefix, key.digest)

    def _keys(self, key: Key, scope: _Scope) -> tuple[bytes, ...]:
        return (self._object(key), self._root, scope.generation, scope.members, scope.expiries, self._scopes)

    def _scope(self, api: str, tenant: str) -> _Scope:
        scope = self._known_scopes.get((api, tenant))
        if scope is None:
            if len(self._known_scopes) >= MOST_SCOPES:
                self._known_scopes.clear()
            scope = self._known_scopes[api, tenant] = self._scope_named(f"{api}\0{tenant}".encode())
        return scope

    def _scope_named(self, name: bytes) -> _Scope:
        generation, members, expiries = (b"%s%s%s" % (self._prefix, kind, name) for kind in (b"g", b"l", b"x"))
        wire = b"".join([b"$%d\r\n%s\r\n" % (len(each), each) for each in (self._root, generation)])
        return _Scope(name, generation, members, expiries, wire)


def _member(key: Key) -> bytes:
    """What a key is called in the lists of its scope: ends with the 32 bytes of its digest."""
    return key.member + key.digest


def _behind(start: bytes) -> bytes:
    """The end, as ZRANGEBYLEX has it, of all that begins with C{start}."""
    start = start.rstrip(b"\xff")
    return b"(%s%c" % (start[:-1], start[-1] + 1) if start else b"+"


def _milliseconds(seconds: float) -> bytes:
    return b"%d" % max(1, min(10**12, int(seconds * 1000)))


def _now(value: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(value)
    return done
