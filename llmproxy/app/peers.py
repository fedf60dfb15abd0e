"""Peers of a proxy: the other processes that serve the same, and share what is counted, stored and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, succeed

from ..limits.memory import MemoryLimits
from ..web.connections import Connections, OwnConnections

if TYPE_CHECKING:
    from ..core.limits.verdicts import Crossed
    from ..interfaces import ICacheStore
    from ..limits.restored import Counts
    from ..management.state import KeepsTokens
    from ..sinks.metrics import ProxyMetrics
    from .reloading import Outcome


class Peers(Protocol):
    """
    What a proxy does together with its peers. It is given when a proxy is made: the proxy asks for each of these once,
    or whenever somebody wants to know.
    """

    def directory(self, directory: KeepsTokens) -> KeepsTokens:
        """What management tells of its changes, so that C{directory} and those of all peers know them."""

    def store(self, store: ICacheStore) -> ICacheStore:
        """The store of the cache, such that what is removed from C{store} is removed from those of all peers."""

    def collect_metrics(self, own: Callable[[], ProxyMetrics]) -> Deferred[ProxyMetrics]:
        """The numbers of all of us. Cancelling it forgets the question."""

    def purge(self, api: str | None, tenant: str | None, start: bytes) -> Deferred[int]:
        """Have the peers purge what only they hold; how many keys went. See L{ICacheStore.purge}."""

    def set_drained(self, api: str, upstream: str, drained: bool) -> Deferred[Any]:
        """Have the peers, and those that come later, drain an upstream or undrain it."""

    def flush(self) -> Deferred[Any]:
        """Have the peers write down what they have counted of tokens."""

    def ask(self, what: str, values: Mapping[str, Any]) -> Deferred[list[Any]]:
        """
        What each peer says to a question, in values that JSON knows: see L{llmproxy.app.running}. One that does not
        answer in time is left out.
        """

    def reload(self, own: Callable[[], Deferred[Outcome]]) -> Deferred[Outcome]:
        """
        Have all of us read the configuration again, or none: fails with L{ConfigError} then.

        @param own: reloads this one, where it is alone.
        """

    def limits(self, seconds: Callable[[], float], crossed: Callable[[Crossed], object]) -> Counts:
        """
        Counts what is used of limits, of all of us.

        @param seconds: since the epoch.
        @param crossed: called when a share of a budget has been used.
        """

    def upgrade(self, own: Callable[[], object] | None) -> bool:
        """
        Have another program take over from all of us; whether there is one that can be asked.

        @param own: upgrades this one, where it is alone.
        """

    def connections(self, site: int) -> Connections:
        """
        Counts the connections of a port.

        @param site: 0 for the clients', 1 for management's.
        """


class Alone:
    """There are no peers."""

    def directory(self, directory: KeepsTokens) -> KeepsTokens:
        return directory

    def store(self, store: ICacheStore) -> ICacheStore:
        return store

    def collect_metrics(self, own: Callable[[], ProxyMetrics]) -> Deferred[ProxyMetrics]:
        return succeed(own())

    def purge(self, api: str | None, tenant: str | None, start: bytes) -> Deferred[int]:
        return succeed(0)

    def set_drained(self, api: str, upstream: str, drained: bool) -> Deferred[Any]:
        return succeed(None)

    def flush(self) -> Deferred[Any]:
        return succeed(None)

    def ask(self, what: str, values: Mapping[str, Any]) -> Deferred[list[Any]]:
        return succeed([])

    def reload(self, own: Callable[[], Deferred[Outcome]]) -> Deferred[Outcome]:
        return own()

    def upgrade(self, own: Callable[[], object] | None) -> bool:
        if own is not None:
            own()
        return own is not None

    def limits(self, seconds: Callable[[], float], crossed: Callable[[Crossed], object]) -> Counts:
        return MemoryLimits(seconds, crossed)

    def connections(self, site: int) -> Connections:
        return OwnConnections()
