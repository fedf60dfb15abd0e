"""Names of keys in Redis: L{llmproxy.cache.scripts} and L{llmproxy.cache.epochs} say what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ..redis.commands import command

if TYPE_CHECKING:
    from ..core.caching.key import Key

MOST_SCOPES = 10_000
"""Of which the names of keys are made once."""


@frozen
class Scope:
    """
    The keys that belong to an API and a tenant.

    @ivar asking: the command that reads the generations and the epoch.
    """

    name: bytes
    generation: bytes
    members: bytes
    expiries: bytes
    asking: bytes


class RedisKeys:
    """
    @param prefix: what all keys begin with.
    @ivar logs: epoch, removed, purged.
    """

    def __init__(self, prefix: bytes) -> None:
        self.objects = prefix + b"o"
        self.expiries = prefix + b"x"
        self.root = prefix + b"r"
        self.scopes = prefix + b"s"
        self.logs = (prefix + b"e", prefix + b"d", prefix + b"p")
        self._prefix = prefix
        self._known: dict[tuple[str, str], Scope] = {}
        # The digest follows, which always has the same length, and the rest.
        self._asking = b"*6\r\n$5\r\nHMGET\r\n$%d\r\n%s" % (len(self.objects) + 32, self.objects)

    def object(self, key: Key) -> bytes:
        return self.objects + key.digest

    def lookup(self, key: Key, variant: bytes) -> bytes:
        """Two commands: one for the object, one for what tells whether it still counts."""
        length = len(variant) + 1
        asking = self.scope(key.api, key.tenant).asking
        return b"%s%s\r\n$1\r\ng\r\n$1\r\nn\r\n$%d\r\nh%s\r\n$%d\r\nb%s\r\n%s" % (
            self._asking,
            key.digest,
            length,
            variant,
            length,
            variant,
            asking,
        )

    def storing(self, key: Key) -> tuple[bytes, ...]:
        """Object, root and scope generation, members, expiries, scopes."""
        scope = self.scope(key.api, key.tenant)
        return (self.object(key), self.root, scope.generation, scope.members, scope.expiries, self.scopes)

    def scope(self, api: str, tenant: str) -> Scope:
        scope = self._known.get((api, tenant))
        if scope is None:
            if len(self._known) >= MOST_SCOPES:
                self._known.clear()
            scope = self._known[api, tenant] = self.scope_named(f"{api}\0{tenant}".encode())
        return scope

    def scope_named(self, name: bytes) -> Scope:
        generation, members, expiries = (b"%s%s%s" % (self._prefix, kind, name) for kind in (b"g", b"l", b"x"))
        return Scope(name, generation, members, expiries, command(b"MGET", self.root, generation, self.logs[0]))


def member(key: Key) -> bytes:
    """What a key is called in the lists of its scope: ends with the 32 bytes of its digest."""
    return key.member + key.digest


def behind(start: bytes) -> bytes:
    """The end, as ZRANGEBYLEX has it, of all that begins with C{start}."""
    start = start.rstrip(b"\xff")
    return b"(%s%c" % (start[:-1], start[-1] + 1) if start else b"+"


def milliseconds(seconds: float) -> bytes:
    return b"%d" % max(1, min(10**12, int(seconds * 1000)))
