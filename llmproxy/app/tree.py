"""The resources beside the proxy: operations and management."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed

from ..sinks.metrics import cumulative
from ..web.health import Health, Live, Ready
from ..web.metrics import MetricsResource
from .managed import CacheControls, Counts, Told

if TYPE_CHECKING:
    from ..web.manage.context import ManageResource
    from ..web.operations import Routes
    from ..web.root import Paths
    from .auditlog import Auditing
    from .proxy import TransparentProxy


def put_operations(root: Paths, proxy: TransparentProxy) -> None:
    """C{/health}, C{/live} and C{/ready}, and the same as Kubernetes writes them, with a C{z}."""
    for name, resource in (
        ("health", Health(time.time)),
        ("live", Live()),
        ("ready", Ready([proxy.database], lambda: proxy.leaving)),
    ):
        root.put_path(name, resource)
        root.put_path(name + "z", resource)


def put_metrics(root: Paths, path: str, collect: Callable[[], Deferred[Any]], token: str = "") -> None:
    """
    The metrics at C{path}, and below it as text whatever C{Accept} says.

    @param collect: gives the numbers, see L{MetricsResource}.
    @param token: what both ask for; C{""} for nothing.
    """
    root.put_path(path, MetricsResource(time.time, collect, cumulative, token=token))
    parent = root.children[path.strip("/").split("/")[0].encode()] if path.count("/") <= 1 else None
    text = MetricsResource(time.time, collect, cumulative, token=token, always_text=True)
    if parent is not None:
        parent.isLeaf = False
        parent.putChild(b"prometheus", text)
    else:
        root.put_path(path + "/prometheus", text)


def management_of(proxy: TransparentProxy, clock: Any, management_token: str) -> ManageResource:
    """The management API of a proxy; see L{llmproxy.web.manage.manage_resource}."""
    from ..web.manage import manage_resource

    auditing = proxy.auditing
    return manage_resource(
        clock=clock,
        projects=proxy.database.projects,
        tokens=proxy.database.tokens,
        directory=Told(lambda: proxy.told or proxy.directory),
        quota=Counts(proxy.publisher, proxy.quota, lambda: proxy.hits, lambda: proxy.flush_others()),
        management_token=management_token,
        apis=[api.name for api in proxy.table.apis],
        default_api=proxy.default_api,
        admins=proxy.database.admins,
        idempotency=proxy.database.idempotency,
        audit=None if auditing is None else auditing.log,
        more=[_audit_routes(auditing), _cache_routes(proxy), _breaker_routes(proxy)],
        draining=lambda: proxy.draining,
    )


def _cache_routes(proxy: TransparentProxy) -> Routes:
    from ..web.manage.cache import CacheRoutes

    # Both are looked up when they are called: a worker puts its own in their place after this.
    controls = (
        None
        if proxy.cache is None
        else CacheControls(proxy.cache, lambda: proxy.collect_metrics(), lambda *what: proxy.purge_others(*what))
    )
    return CacheRoutes(controls, proxy.table).routes()


def _breaker_routes(proxy: TransparentProxy) -> Routes:
    from ..web.manage.breaker import BreakerRoutes

    return BreakerRoutes(lambda: proxy.collect_metrics()).routes()


def _audit_routes(auditing: Auditing | None) -> Routes:
    from ..web.manage.audit import AuditEvents

    if auditing is None:
        return AuditEvents(None, lambda: succeed(None)).routes()
    return AuditEvents(auditing.trail, auditing.log.flush).routes()
