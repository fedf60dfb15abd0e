"""Calls of a Redis that may refuse, be away, or answer anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from .commands import Part, command
from .connection import RedisDown, RedisRefused

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .pool import RedisPool
    from .script import Script

_CLUSTER = ("MOVED ", "ASK ", "CROSSSLOT ", "CLUSTERDOWN ")


class RedisCalls:
    """Runs scripts; a fault of Redis is counted and logged, and is nobody else's."""

    def __init__(self, pool: RedisPool) -> None:
        self._pool = pool

    def run(self, script: Script, keys: tuple[bytes, ...], *arguments: Part) -> Deferred[Any]:
        """What the script returns. Fails with L{RedisRefused} or L{RedisDown}."""
        rest = (b"%d" % len(keys), *keys, *arguments)
        return self._pool.call(command(b"EVALSHA", script.sha, *rest)).addErrback(self._unknown, script, rest)

    def _unknown(self, reason: Any, script: Script, rest: tuple[Part, ...]) -> Any:
        """Redis has been started anew, or has never seen this script."""
        if reason.check(RedisRefused) and str(reason.value).startswith("NOSCRIPT"):
            return self._pool.call(command(b"EVAL", script.source, *rest))
        return reason

    def safely(self, work: Coroutine[Deferred[Any], Any, Any], otherwise: Any) -> Deferred[Any]:
        """What the work gives, or C{otherwise} if Redis does not do its part."""
        return Deferred.fromCoroutine(work).addErrback(self.failed, otherwise)

    def failed(self, reason: Any, otherwise: Any) -> Any:
        """A fault of Redis is nobody's but ours; one of our own is reported, and is no fault of the request either."""
        if reason.check(RedisRefused):
            self._pool.complain("refused", _explained(str(reason.value)[:200]))
        elif not reason.check(RedisDown):
            self._pool.complain("garbage", f"an answer was not understood: {reason.getErrorMessage()[:200]}")
        return otherwise


def _explained(text: str) -> str:
    if text.startswith(_CLUSTER):
        return f"{text}: this is a node of a Redis Cluster, where nothing can be stored; use one Redis"
    return text
