"""The management API with a cache in memory behind it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from llmproxy.cache.memory import MemoryStore
from llmproxy.core.caching.key import SHARED, Key
from llmproxy.core.routing import RoutingTable
from llmproxy.errors import Unavailable
from llmproxy.origin import CredentialPlace
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.cache import CacheRoutes
from llmproxy.web.manage.cachestats import CacheStats, stats_of

from ...contracts.cache_store import BODY, entry, key, select
from ...middleware.fakes import an_api
from .api import ManageTestCase

APIS = [
    an_api("openai"),
    an_api("other"),
    an_api("searched", credential=CredentialPlace("query", b"token", b"")),
]
_SPACES = {api.name: api.space for api in APIS}


def in_space(target: bytes, api: str = "openai", **more: Any) -> Key:
    return key(target, api=_SPACES[api], **more)


KEYS = (
    in_space(b"/v1/models"),
    in_space(b"/v1/models?x=1"),
    in_space(b"/v1/models", tenant="p2"),
    in_space(b"/v1/models", tenant=SHARED),
    in_space(b"/v1/models", api="other"),
    in_space(b"/v1/models/a"),
    in_space(b"/v1/chat", body=b"h1" * 16),
    in_space(b"/v1/chat", body=b"h2" * 16),
    in_space(b"/v1/search?q=1", api="searched"),
)


class Controls:
    """A cache in memory, as management has it."""

    def __init__(self) -> None:
        self.store = MemoryStore(lambda: 0.0, 1 << 20)
        self.away = False

    def fill(self) -> None:
        for each in KEYS:
            self.store.put(each, (), select(), entry(), BODY, 60)

    def left(self) -> list[Key]:
        return [each for each in KEYS if self.store.found(each, select()) is not None]

    def purge(self, api: str | None, tenant: str | None, start: bytes) -> Deferred[int]:
        return fail(Unavailable("no Redis")) if self.away else self.store.purge(api, tenant, start)

    def statistics(self) -> Deferred[CacheStats]:
        metrics = ProxyMetrics()
        metrics.cache.update(hit=3, miss=2, store=1)
        for name, value in self.store.statistics().items():
            metrics.gauge(f"llmproxy_cache_{name}", "", lambda value=value: value)  # type: ignore[misc]
        return succeed(stats_of(metrics, None))


class CacheManageTestCase(ManageTestCase):
    """@ivar controls: the cache, as management has it."""

    def setUp(self) -> None:
        self.controls = Controls()
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        routes = CacheRoutes(lambda: self.controls, lambda: RoutingTable(APIS, "openai")).routes()
        return super().resource(projects, **{**more, "more": (routes, *more.get("more", ()))})
