"""The peers of a worker: the other workers, which it reaches through their parent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from ..app.reloading import Outcome
from ..cache.memory import MemoryStore
from ..errors import ConfigError
from ..limits.memory import MemoryLimits
from ..sinks.metrics import ProxyMetrics
from .broadcast import BroadcastingDirectory
from .caches import AnnouncingStore, key_of
from .ipc import unpacked

if TYPE_CHECKING:
    from ..cache.presence import PresenceFilter
    from ..interfaces import ICacheStore
    from ..limits.restored import NewCounts
    from ..management.state import KeepsTokens
    from ..middleware.caching.cache import Cache
    from ..web.connections import Connections
    from .connections import SharedConnections

Tell = Callable[..., object]
"""Called with the kind of a message and its values; see L{llmproxy.workers.ipc.message}."""


class OtherWorkers:
    """
    See L{llmproxy.app.peers.Peers}.

    @param tell: sends a message to the parent.
    @param marks: what this worker counts in for all to see, of what its cache holds.
    @param limits: makes what it counts in of limits.
    @param connections: what it counts in of connections.
    """

    def __init__(
        self,
        clock: Any,
        tell: Tell,
        marks: PresenceFilter,
        connections: Sequence[SharedConnections] = (),
        limits: NewCounts = MemoryLimits,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._marks = marks
        self._connections = connections
        self.limits = limits
        self._store: AnnouncingStore | None = None
        self._asked: dict[int, Deferred[Any]] = {}
        self._questions = 0

    def directory(self, directory: KeepsTokens) -> KeepsTokens:
        return BroadcastingDirectory(directory, lambda what, which: self._tell("changed", what=what, which=which))

    def store(self, store: ICacheStore) -> ICacheStore:
        if not isinstance(store, MemoryStore):
            # What is in Redis is the same for all.
            return store
        store.share(self._marks)
        announcing = AnnouncingStore(self._clock, store, lambda keys: self._tell("removed", keys=keys))
        self._store = announcing
        return announcing

    def collect_metrics(self, own: Callable[[], ProxyMetrics]) -> Deferred[ProxyMetrics]:
        return self._ask("all_metrics")

    def purge(self, api: str | None, tenant: str | None, start: bytes) -> Deferred[int]:
        return self._ask("purge_others", api=api, tenant=tenant, start=start.decode("latin-1"))

    def set_drained(self, api: str, upstream: str, drained: bool) -> Deferred[Any]:
        return self._ask("drain_others", api=api, upstream=upstream, drained=drained)

    def flush(self) -> Deferred[Any]:
        return self._ask("flush_others")

    def ask(self, what: str, values: Mapping[str, Any]) -> Deferred[list[Any]]:
        return self._ask("ask_others", what=what, values=dict(values))

    def reload(self, own: Callable[[], Deferred[Outcome]]) -> Deferred[Outcome]:
        return self._ask("reload_all")

    def upgrade(self, own: Callable[[], object] | None) -> bool:
        self._tell("upgrade")
        return True

    def connections(self, site: int) -> Connections:
        return self._connections[site]

    def take_connections(self, takes: bool) -> None:
        """Tell the others whether this worker takes connections."""
        for counts in self._connections:
            counts.take(takes)

    # -- what the parent says

    def answered(self, kind: str, values: dict[str, Any]) -> None:
        """
        C{all_metrics}, C{purged}, C{flushed}, C{drained}, C{reloaded} or C{answers}: the answer to a question, dropped
        if nobody waits.
        """
        asked = self._asked.pop(values["number"], None)
        if asked is None:
            return
        if kind == "all_metrics":
            asked.callback(ProxyMetrics.of_plain(unpacked(values["metrics"])))
        elif kind == "reloaded":
            problems, outcome = values["problems"], Outcome(tuple(values["changed"]), tuple(values["needs_restart"]))
            asked.errback(ConfigError(*problems)) if problems else asked.callback(outcome)
        else:
            asked.callback(values["answers"] if kind == "answers" else values.get("count"))

    def removed(self, cache: Cache | None, keys: Sequence[Sequence[str]]) -> None:
        """Another worker has removed C{keys}."""
        if cache is None or self._store is None:
            return
        for text in keys:
            key = key_of(text)
            cache.doubt(key)
            self._store.remove_here(key)

    def purge_here(self, cache: Cache | None, values: dict[str, Any]) -> None:
        """Another worker purges, and waits for how much went here."""
        count = 0
        if cache is not None:
            count = cache.forget(values["api"], values["tenant"], values["start"].encode("latin-1"))
        self._tell("purged", number=values["number"], count=count)

    def _ask(self, kind: str, **values: Any) -> Deferred[Any]:
        self._questions += 1
        number = self._questions
        asked: Deferred[Any] = Deferred(lambda _: self._forget(number))
        self._asked[number] = asked
        self._tell(kind, number=number, **values)
        return asked

    def _forget(self, number: int) -> None:
        self._asked.pop(number, None)
