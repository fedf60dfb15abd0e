"""Questions that are asked at once, so that what they read can be read together."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

Asking = Coroutine[Any, Any, Any]


def begun(asking: Iterable[Asking]) -> list[Deferred[Any]]:
    """All of them, begun."""
    return [Deferred.fromCoroutine(each) for each in asking]


async def ended(asking: Iterable[Deferred[Any]]) -> list[Any]:
    """What all of them answer, in their order, when all have ended; the first that failed is raised."""
    found = await DeferredList(list(asking), consumeErrors=True)
    for succeeded, result in found:
        if not succeeded:
            result.raiseException()
    return [result for _, result in found]


async def all_of(asking: Iterable[Asking]) -> list[Any]:
    """Likewise, of some that are begun by this."""
    return await ended(begun(asking))
