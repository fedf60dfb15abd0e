"""Stores, warm copies and counters that the rules work on, and the lock of their changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred, DeferredLock, succeed

from ..errors import Unavailable
from .limits import KnowsLimits, NothingLimited

if TYPE_CHECKING:
    from ..interfaces import IProjectStore, ITokenStore
    from ..message import Project, Token

T = TypeVar("T")


class KeepsTokens(Protocol):
    """Where tokens are kept warm; it has every change before the client has an answer."""

    def token_changed(self, token: Token) -> None: ...

    def project_changed(self, project: Project) -> None: ...

    def project_tokens_revoked(self, project_id: str) -> None: ...

    def person_revoked(self, person_id: str) -> None: ...


class KeepsCounts(Protocol):
    """Where uses are counted before they are written down."""

    def flush(self) -> Deferred[None]: ...

    def settle(self, token_id: str) -> Deferred[None]: ...


class Served(Protocol):
    """The APIs that are served now; others are when the configuration is swapped."""

    @property
    def apis(self) -> Collection[str]:
        """The names of those that projects can have keys for."""

    @property
    def listed(self) -> Collection[str]:
        """The names of the APIs, as lists of what may be asked have them."""

    @property
    def default_api(self) -> str:
        """The one that C{api_key} is for."""


@frozen
class KnownApis:
    """APIs that are configured, where none of them is served by this process."""

    apis: Collection[str]
    default_api: str

    @property
    def listed(self) -> Collection[str]:
        return self.apis


class NothingWarm:
    """The directory of a process that serves nobody."""

    def token_changed(self, token: Token) -> None:
        pass

    def project_changed(self, project: Project) -> None:
        pass

    def project_tokens_revoked(self, project_id: str) -> None:
        pass

    def person_revoked(self, person_id: str) -> None:
        pass


class NothingCounted:
    """The counters of a process that serves nobody."""

    def flush(self) -> Deferred[None]:
        return succeed(None)

    def settle(self, token_id: str) -> Deferred[None]:
        return succeed(None)


@frozen(eq=False)
class State:
    """
    @ivar seconds: the time, since the epoch.
    @ivar limits: of the configuration, and what is left of those of tokens and projects.
    @ivar changing: held while something is changed and C{directory} learns of it, so that it cannot learn of two
        changes in the wrong order.
    """

    seconds: Callable[[], float]
    projects: IProjectStore
    tokens: ITokenStore
    directory: KeepsTokens = field(factory=NothingWarm)
    counts: KeepsCounts = field(factory=NothingCounted)
    changing: DeferredLock = field(factory=DeferredLock)
    limits: KnowsLimits = field(factory=NothingLimited)

    async def alone(self, change: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> T:
        """Await C{change} while nothing else changes. Cancelling it gives the lock back."""
        return await self.changing.run(lambda: Deferred.fromCoroutine(change()))

    async def flush(self) -> None:
        """Write down what was counted; if it cannot be written, what is stored is shown as it is."""
        await _tolerant(self.counts.flush())

    async def settle(self, token_id: str) -> None:
        """Likewise of one token, whose limit may have changed: what is leased of it is given back."""
        await _tolerant(self.counts.settle(token_id))


async def _tolerant(writing: Deferred[None]) -> None:
    try:
        await writing
    except Unavailable:
        pass
