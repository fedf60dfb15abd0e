"""Values of a provider that are kept: fetched when they are asked for, by one fetch at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..identityerrors import ProviderUnavailable

T = TypeVar("T")

RETRY_AFTER = 5.0
"""Seconds until a provider that did not answer is asked again."""


class Kept(Generic[T]):
    """
    Times are seconds. While the provider is away, what is old is good for C{kept_for}.

    @param fetch: fails with L{ProviderUnavailable}.
    @param fresh_for: after which it is fetched again.
    @param failed: called with why a fetch gave nothing.
    @param cooldown: the least between two fetches of what L{newer} asks for: tokens with invented key ids cost one.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        fetch: Callable[[], Coroutine[Any, Any, T]],
        *,
        fresh_for: float,
        kept_for: float,
        cooldown: float,
        failed: Callable[[ProviderUnavailable], object] = lambda error: None,
    ) -> None:
        self._seconds = seconds
        self._fetch = fetch
        self._say = failed
        self._fresh_for, self._kept_for, self._cooldown = fresh_for, kept_for, cooldown
        self._value: T | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._error: BaseException | None = None
        self._waiting: list[Deferred[None]] | None = None

    async def get(self) -> T:
        """
        @raise ProviderUnavailable: it is not there, and nothing that is young enough is known.
        """
        age = self._seconds() - self._fetched_at
        if self._value is not None and age < self._fresh_for:
            return self._value
        if self._seconds() - self._tried_at >= RETRY_AFTER or self._waiting is not None:
            await self._renewed()
        if self._value is not None and self._seconds() - self._fetched_at < self._kept_for:
            return self._value
        raise self._error or ProviderUnavailable()

    async def newer(self) -> T | None:
        """The value of a fetch that begins now; C{None} where the last one was just now, or fails."""
        if self._waiting is None and self._seconds() - self._tried_at < self._cooldown:
            return None
        before = self._fetched_at
        await self._renewed()
        return self._value if self._fetched_at > before else None

    async def _renewed(self) -> None:
        if self._waiting is None:
            self._waiting = []
            self._tried_at = self._seconds()
            # Who asked first may leave: the others wait for the same.
            Deferred.fromCoroutine(self._fetch()).addCallbacks(self._fetched, self._failed)
            if self._waiting is None:
                return
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        await waiter

    def _fetched(self, value: T) -> None:
        self._value, self._error, self._fetched_at = value, None, self._seconds()
        self._done()

    def _failed(self, reason: Failure) -> None:
        error = reason.value
        self._error = known = error if isinstance(error, ProviderUnavailable) else ProviderUnavailable()
        self._say(known)
        self._done()

    def _done(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(None)
