"""
Stored responses in Redis, shared by all proxies that use the same one with the same prefix.

A lookup is no script, which would cost Redis several times as much, but two commands that are sent together: one for
the object, then one for the generations that say whether it still counts, and the epoch (L{llmproxy.cache.epochs}).
What is purged in between was found just before.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from zope.interface import implementer

from ..core.caching.entry import Entry, Found, pack
from ..errors import Unavailable
from ..interfaces import ICacheStore
from ..redis.calls import RedisCalls
from . import epochs as doubts
from . import scripts
from .encoding import EXPIRY, decode_head, encode_head, join_names, split_names
from .invalidations import PendingInvalidations
from .rediskeys import RedisKeys, Scope, behind, member, milliseconds

if TYPE_CHECKING:
    from ..core.caching.content import Content
    from ..core.caching.key import Key
    from ..interfaces import Select
    from ..redis.pool import RedisPool

MOST_KNOWN = 10_000
"""Keys whose names are remembered here, so that a lookup knows the variant and asks once."""

LARGEST = 4 * 1024 * 1024
"""
Bytes of a body. A lookup must bring it within 45 ms, which a link of 1 Gbit/s can; a larger one would be a miss each
time, and after some of them in a row Redis would be left alone as one that does not answer. Nor does one hold up our
reactor, or Redis, for longer than others notice.
"""

UNKNOWN = b"0"
"""An epoch that nothing reaches back to: who went with it stores nothing."""

WITHOUT_EPOCH = 1.0
"""Seconds for which Redis is not asked again to begin an epoch, if it could not."""


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
        self.complete = False
        self._clock = clock
        self._pool = pool
        self._calls = RedisCalls(pool)
        self._keys = RedisKeys(prefix)
        self._removals = PendingInvalidations(clock, self._calls, self._keys, lambda: self._purging(None, None, b""))
        self._names: OrderedDict[bytes, tuple[bytes, ...]] = OrderedDict()
        # The last one that was read: it may have risen since, it was never higher.
        self._epoch = UNKNOWN
        self._begin_after = 0.0
        self._beginning: list[Deferred[None]] = []
        pool.when_connected(self._removals.pay)

    # -- ICacheStore

    def start(self) -> None:
        self._pool.start()

    def stop(self) -> Deferred[None]:
        sent = self._pool.in_time(DeferredList(self._removals.send_last()), None)
        return sent.addCallback(lambda _: self._pool.stop())

    def found(self, key: Key, select: Select) -> None:
        """Nothing is known here."""

    def lookup(self, key: Key, select: Select) -> Deferred[Found | None]:
        if self._removals.hides(key):
            return _now(None)
        names = self._names.get(key.digest, ())
        variant = select(names) if names else b""
        asking = self._pool.call(self._keys.lookup(key, variant), 2)
        asking.addCallback(self._found, key, select, names, variant).addErrback(self._calls.failed, None)
        return self._pool.in_time(asking, None)

    def put(
        self,
        key: Key,
        names: tuple[bytes, ...],
        select: Select,
        entry: Entry,
        body: Content,
        seconds: float,
        since: bytes | None = None,
    ) -> Deferred[bool]:
        if len(body) > LARGEST:
            return _now(False)
        return self._calls.safely(self._put(key, names, select, entry, body, seconds, since or b""), False)

    def heads(self, key: Key) -> Deferred[list[tuple[bytes, Entry]]]:
        nothing: list[tuple[bytes, Entry]] = []
        if self._removals.hides(key):
            return _now(nothing)
        return self._pool.in_time(self._calls.safely(self._heads(key), nothing), nothing)

    def replace_head(self, key: Key, found: Found, entry: Entry, seconds: float) -> Deferred[None]:
        return self._calls.safely(self._replace_head(key, found, entry, seconds), None)

    def remove(self, key: Key) -> Deferred[int]:
        self._names.pop(key.digest, None)
        return self._removals.remove(key)

    def purge(self, api: str | None, tenant: str | None, start: bytes = b"") -> Deferred[int]:
        return self._purging(api, tenant, start).addErrback(self._not_purged)

    def may_hold(self, target: bytes | None) -> bool:
        # What others have stored is known to Redis alone.
        return True

    def expect(self, key: Key) -> bytes:
        return self._epoch

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
        counting = self._calls.run(scripts.COUNT, (self._keys.scopes,), self._keys.expiries)
        return self._pool.in_time(counting.addCallbacks(int, self._calls.failed, errbackArgs=(None,)), None)

    # -- lookups

    def _found(
        self, reply: Any, key: Key, select: Select, asked: tuple[bytes, ...], variant: bytes, again: bool = True
    ) -> Any:
        (generations, listed, head, body), (root, scope, epoch) = reply
        if epoch is None or not epoch.isdigit():
            known = (reply[0], (root, scope, UNKNOWN))
            return self._begin().addCallback(lambda _: self._found(known, key, select, asked, variant, again))
        if epoch is not UNKNOWN:
            self._epoch = epoch
        if generations is None or generations != (root or b"") + (scope or b""):
            return None
        names = split_names(listed) if listed else ()
        if names != asked:
            return self._under_other_names(names, key, select, again)
        if head is None or body is None:
            return Found(None, names=names)
        entry = decode_head(head, len(body), EXPIRY)
        if entry is None:
            self._pool.complain("garbage", "something else than a stored response is in its place")
            return None
        return Found(entry, body, variant, names)

    def _under_other_names(self, names: tuple[bytes, ...], key: Key, select: Select, again: bool) -> Any:
        self._remember(key, names)
        if not again:
            return None
        variant = select(names) if names else b""
        asking = self._pool.call(self._keys.lookup(key, variant), 2)
        return asking.addCallback(self._found, key, select, names, variant, False)

    def _begin(self) -> Deferred[None]:
        """Have an epoch begin, since there is none: one asks for all who come meanwhile."""
        self._epoch = UNKNOWN
        now = self._clock.seconds()
        if not self._beginning:
            if now < self._begin_after:
                return _now(None)
            self._begin_after = now + WITHOUT_EPOCH
            asking = self._calls.run(scripts.EPOCH, self._keys.logs[:1]).addErrback(self._calls.failed, None)
            asking.addCallback(self._begun, now)
            if asking.called:
                return _now(None)
        waiting: Deferred[None] = Deferred()
        self._beginning.append(waiting)
        return waiting

    def _begun(self, epoch: bytes | None, now: float) -> None:
        if epoch is not None:
            self._epoch, self._begin_after = epoch, now
        beginning, self._beginning = self._beginning, []
        for waiting in beginning:
            waiting.callback(None)

    async def _heads(self, key: Key) -> list[tuple[bytes, Entry]]:
        scope = self._keys.scope(key.api, key.tenant)
        reply = await self._calls.run(scripts.HEADS, (self._keys.object(key), self._keys.root, scope.generation))
        found = [(variant, decode_head(head)) for variant, head in zip(reply[::2], reply[1::2], strict=True)]
        return [(variant, entry) for variant, entry in found if entry is not None]

    def _remember(self, key: Key, names: tuple[bytes, ...]) -> None:
        if not names:
            self._names.pop(key.digest, None)
            return
        self._names[key.digest] = names
        self._names.move_to_end(key.digest)
        if len(self._names) > MOST_KNOWN:
            self._names.popitem(last=False)

    # -- changes

    async def _put(
        self,
        key: Key,
        names: tuple[bytes, ...],
        select: Select,
        entry: Entry,
        body: Content,
        seconds: float,
        since: bytes,
    ) -> bool:
        lifetime = milliseconds(seconds)
        head = encode_head(entry, len(body))
        names = tuple(sorted({*names, *self._names.get(key.digest, ())}))
        keys, scope = (*self._keys.storing(key), *self._keys.logs), self._keys.scope(key.api, key.tenant).name
        # The names that are known there only ever grow, and each call is given those that are missing here.
        for _ in range(3):
            variant = select(names) if names else b""
            arguments = (join_names(names), variant, head, body, lifetime, member(key), scope, os.urandom(8), since)
            reply = await self._calls.run(scripts.PUT, keys, *arguments)
            if isinstance(reply, int):
                self._remember(key, names)
                return reply == 1
            names = tuple(sorted({*names, *split_names(reply)}))
        return False

    async def _replace_head(self, key: Key, found: Found, entry: Entry, seconds: float) -> None:
        if found.entry is not None:
            scope = self._keys.scope(key.api, key.tenant).name
            heads = (pack(found.entry), pack(entry))
            arguments = (found.variant, *heads, milliseconds(seconds), member(key), scope)
            await self._calls.run(scripts.REPLACE_HEAD, self._keys.storing(key), *arguments)

    def _purging(self, api: str | None, tenant: str | None, start: bytes) -> Deferred[int]:
        return Deferred.fromCoroutine(self._purge(api, tenant, start))

    async def _purge(self, api: str | None, tenant: str | None, start: bytes) -> int:
        count = 0
        self._names.clear()
        # First: what is stored before is found, what would be stored later is refused.
        await self._calls.run(scripts.DOUBT, self._keys.logs, doubts.purged(api, tenant, start))
        for scope in await self._matching(api, tenant):
            count += await self._purge_scope(scope, start)
        if api is None and tenant is None and not start:
            self._removals.purged()
        return count

    async def _matching(self, api: str | None, tenant: str | None) -> list[Scope]:
        if api is not None and tenant is not None:
            return [self._keys.scope(api, tenant)]
        found = []
        for name in await self._calls.run(scripts.SCOPES, (self._keys.root, self._keys.scopes)):
            its_api, _, its_tenant = name.decode("utf-8", "replace").partition("\0")
            if api in (None, its_api) and tenant in (None, its_tenant):
                found.append(self._keys.scope_named(name))
        return found

    async def _purge_scope(self, scope: Scope, start: bytes) -> int:
        count = 0
        keys = (scope.generation, scope.members, scope.expiries)
        while True:
            gone, seen = await self._calls.run(scripts.PURGE, keys, b"[" + start, behind(start), self._keys.objects)
            count += gone
            if seen < scripts.BATCH:
                return count

    def _not_purged(self, reason: Any) -> Any:
        self._calls.failed(reason, None)
        raise Unavailable("the cache cannot be purged now: Redis cannot be asked") from reason.value


def _now(value: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(value)
    return done
