"""The resources beside the proxy: operations and management."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, succeed

from ..core.quantiles import quantile
from ..management.usage import UsageRules
from ..sinks.metrics import BUCKETS, Histogram, cumulative
from ..web.api.resource import ProxyResource
from ..web.health import Health, Live, Ready
from ..web.livefeed import LiveFeed, Source
from ..web.metrics import MetricsResource
from ..web.root import Paths, Root
from .managed import CacheControls

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ..management.state import State
    from ..message import ApiRequest, ApiResponse
    from ..sinks.metrics import ProxyMetrics
    from ..web.manage.context import ManageResource
    from ..web.operations import Routes
    from .auditlog import Auditing
    from .foundation import Foundation
    from .generations import Generations
    from .reloading import Reloading
    from .running import RunningExchanges
    from .settings import Settings
    from .shutdown import Shutdown
    from .signon import SignOn
    from .stored import Stored


WATCHED = 50
"""Exchanges that pages show while they are watched."""


class Proxy(Protocol):
    """What the resources need of a proxy: L{llmproxy.TransparentProxy} is one, and documents each."""

    settings: Settings
    foundation: Foundation
    generations: Generations
    stored: Stored | None
    ending: Shutdown
    reloading: Reloading
    exchanges: RunningExchanges
    listeners: list[Callable[[Settings], object]]

    @property
    def draining(self) -> bool: ...

    def respond(self, request: ApiRequest, /) -> Deferred[ApiResponse]: ...

    def collect_metrics(self) -> Deferred[ProxyMetrics]: ...


def proxy_tree(proxy: Proxy, manage: bool) -> Root:
    """See L{llmproxy.TransparentProxy.resource}."""
    generations = proxy.generations
    resource = ProxyResource(time.time, proxy.respond)
    trusted = proxy.settings.apis.trusted()
    root = Root(resource, trusted, lambda path: generations.table.claimant(path), _own_paths(proxy))
    root.forgetting = proxy.foundation.forgetting
    put_operations(root, proxy)
    _put_usage(root, proxy)
    _put_me(root, proxy)
    if manage:
        _put_metrics(root, proxy)
    if manage and proxy.settings.management_token:
        _put_management(root, proxy)
    return root


def _own_paths(proxy: Proxy) -> Callable[[bytes], IResource | None] | None:
    """What there is for coding agents among the paths of APIs; nothing of it is imported where nothing is asked for."""
    if proxy.settings.apis.agents is None:
        return None
    from .agents import AgentPaths

    paths = AgentPaths(proxy)
    proxy.listeners.append(paths.reloaded)
    return paths.find


def management_tree(proxy: Proxy) -> Paths:
    """See L{llmproxy.TransparentProxy.management_resource}."""
    root = Paths(proxy.settings.apis.trusted())
    put_operations(root, proxy)
    _put_metrics(root, proxy)
    if proxy.stored is not None:
        _put_management(root, proxy)
    return root


def _put_metrics(root: Paths, proxy: Proxy) -> None:
    settings = proxy.settings
    if settings.metrics_path is not None:
        put_metrics(root, settings.metrics_path, proxy.collect_metrics, settings.metrics_token)


def _put_management(root: Paths, proxy: Proxy) -> None:
    resource = management_of(proxy)
    proxy.ending.wait_for(resource)
    root.put_path("manage", resource)
    if proxy.settings.admin_ui:
        _put_pages(root, proxy, resource)


def _put_pages(root: Paths, proxy: Proxy, resource: ManageResource) -> None:
    from ..admin.address import apis_address
    from ..admin.inprocess import InProcess
    from ..admin.site import AdminPages

    settings = proxy.settings
    apis_at = partial(apis_address, settings.listen, beside=settings.pages_beside_apis)
    pages = AdminPages(
        InProcess(resource), time.time, settings.apis.trusted(), apis_at=apis_at, sign_on=_sign_on(proxy)
    )
    root.put_path("admin", pages)


def _sign_on(proxy: Proxy) -> SignOn | None:
    """Sign-in at the pages by an identity provider, where there is one."""
    foundation, stored = proxy.foundation, proxy.stored
    if foundation.identity is None or stored is None:
        return None
    from hashlib import sha256

    from ..management.sessions import SessionRules
    from .signon import SignOn

    sessions, digest = stored.database.sessions, sha256(foundation.settings.management_token.encode()).digest()
    rules = SessionRules(foundation.reactor.seconds, digest, sessions)
    return SignOn(foundation.identity, rules, sessions, foundation.audit_log)


def _put_usage(root: Paths, proxy: Proxy) -> None:
    """C{/usage}, where tokens are those of the database."""
    from ..web.usage import TokenUsage

    foundation, stored, state = proxy.foundation, proxy.stored, proxy.foundation.management
    if stored is None or state is None or foundation.own.token_validator is not None:
        return
    usage = TokenUsage(
        foundation.admission.authenticate,
        lambda: proxy.generations.table,
        state,
        usage_of(proxy, stored),
        foundation.audit_log,
        lambda: proxy.draining,
    )
    proxy.ending.wait_for(usage)
    root.put_path("usage", usage)


def _put_me(root: Paths, proxy: Proxy) -> None:
    """C{/me}, where people sign in."""
    foundation, stored = proxy.foundation, proxy.stored
    if foundation.identity is None or stored is None:
        return
    from .me import me_pages

    root.put_path("me", me_pages(foundation, foundation.identity, usage_of(proxy, stored)))


def put_operations(root: Paths, proxy: Proxy) -> None:
    """C{/health}, C{/live} and C{/ready}, and the same as Kubernetes writes them, with a C{z}."""
    checks: list[Any] = [] if proxy.stored is None else [proxy.stored.database]
    if proxy.foundation.ledger is not None:
        checks.append(proxy.foundation.ledger)
    for name, resource in (
        ("health", Health(time.time)),
        ("live", Live()),
        ("ready", Ready(checks, lambda: proxy.ending.leaving, proxy.foundation.limiting.warnings)),
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


def management_of(proxy: Proxy) -> ManageResource:
    """The management API of a proxy; see L{llmproxy.web.manage.manage_resource}."""
    from ..management.budgets import BudgetRules
    from ..web.manage import manage_resource
    from ..web.manage.budgets import BudgetRoutes
    from ..web.manage.usage import UsageRoutes

    foundation, stored, state = proxy.foundation, proxy.stored, proxy.foundation.management
    assert stored is not None, "OwnParts.check asks for a database where there is a management token"
    assert state is not None, "likewise"
    people = None if foundation.identity is None else foundation.identity.store
    return manage_resource(
        state=state,
        management_token=foundation.settings.management_token,
        served=proxy.generations,
        admins=stored.database.admins,
        sessions=stored.database.sessions,
        idempotency=stored.database.idempotency,
        feed=_feed(proxy),
        audit=foundation.audit_log,
        people=None if foundation.identity is None else foundation.identity.access_tokens.person,
        more=[
            _audit_routes(foundation.auditing),
            _cache_routes(proxy),
            _breaker_routes(proxy),
            _upstream_routes(proxy),
            _config_routes(proxy),
            _exchange_routes(proxy),
            _sink_routes(proxy),
            _agent_routes(proxy),
            UsageRoutes(usage_of(proxy, stored)).routes(),
            BudgetRoutes(BudgetRules(state, stored.usage_reports, people)).routes(),
            _people_routes(proxy, stored, state),
        ],
        draining=lambda: proxy.draining,
    )


def _feed(proxy: Proxy) -> LiveFeed:
    """What happens now; other parts add to its sources."""

    def numbers() -> Deferred[Any]:
        return proxy.collect_metrics().addCallback(live_numbers)

    async def upstreams() -> Any:
        from ..management.upstreams import shown_upstreams
        from ..web.manage.upstreams import view_of

        return [view_of(each) for each in shown_upstreams(await proxy.collect_metrics())]

    sources = {
        "numbers": Source("usage.read", numbers),
        "exchanges": Source("exchange.read", lambda: proxy.exchanges.running().addCallback(first_of)),
    }
    sources["upstreams"] = Source("upstream.read", lambda: Deferred.fromCoroutine(upstreams()), if_named=True)
    return LiveFeed(proxy.foundation.reactor, sources, lambda: proxy.draining)


def first_of(running: dict[str, Any]) -> dict[str, Any]:
    """What a page that is watched shows of exchanges: a few, and how many of those that are listed stream."""
    every = running["exchanges"]
    return {**running, "streamed": sum(each["streamed"] for each in every), "exchanges": every[:WATCHED]}


def live_numbers(metrics: ProxyMetrics) -> dict[str, Any]:
    """See L{llmproxy.web.manage.live.NumbersView}."""
    in_flight = metrics.gauges.get("llmproxy_in_flight")
    durations = [each.duration for each in metrics.series.values()]
    latency, first = _shares(durations), _shares(metrics.first_tokens.values())
    return {
        "in_flight": 0 if in_flight is None else round(in_flight[1]()),
        "requests": metrics.request_count,
        "errors": metrics.error_count,
        "cache_hits": metrics.cache["hit"],
        "tokens": sum(count for (_, _, kind), count in metrics.tokens.items() if kind in ("input", "output")),
        "cost": str(sum(metrics.costs.values(), Decimal(0))),
        "latency_p50": latency[0],
        "latency_p95": latency[1],
        "first_token_p50": first[0],
        "first_token_p95": first[1],
    }


def _shares(histograms: Iterable[Histogram]) -> tuple[float | None, float | None]:
    total = Histogram()
    for each in histograms:
        total.add(each)
    half, most = (quantile(BUCKETS, total.counts, share) for share in (0.5, 0.95))
    return None if half is None else round(half, 4), None if most is None else round(most, 4)


def usage_of(proxy: Proxy, stored: Stored) -> UsageRules:
    """The rules of usage over the database of a proxy."""
    return UsageRules(proxy.foundation.reactor.seconds, stored.projects, stored.database.tokens, stored.usage_reports)


def _people_routes(proxy: Proxy, stored: Stored, state: State) -> Routes:
    from ..core.people.grants import grant_of
    from ..management.people import PeopleRules
    from ..management.peoplebooks import PeopleBooks
    from ..store.devices import DeviceStore
    from ..store.people import PeopleStore
    from ..web.manage.people import PeopleRoutes

    reactor, database = proxy.foundation.reactor, stored.database
    people = PeopleRules(state, PeopleStore(reactor, database), partial(grant_of, ()))
    return PeopleRoutes(PeopleBooks(people, DeviceStore(reactor, database), usage_of(proxy, stored))).routes()


def _cache_routes(proxy: Proxy) -> Routes:
    from ..web.manage.cache import CacheRoutes

    foundation, generations = proxy.foundation, proxy.generations

    def controls() -> CacheControls | None:
        cache = foundation.cache
        return None if cache is None else CacheControls(cache, proxy.collect_metrics, foundation.peers.purge)

    return CacheRoutes(controls, lambda: generations.table).routes()


def _breaker_routes(proxy: Proxy) -> Routes:
    from ..web.manage.breaker import BreakerRoutes

    return BreakerRoutes(proxy.collect_metrics).routes()


def _upstream_routes(proxy: Proxy) -> Routes:
    from ..management.upstreams import UpstreamRules
    from ..web.manage.upstreams import UpstreamRoutes

    generations, peers = proxy.generations, proxy.foundation.peers

    def set_drained(api: str, upstream: str, drained: bool) -> Deferred[Any]:
        generations.current.set_drained(api, upstream, drained)
        return peers.set_drained(api, upstream, drained)

    return UpstreamRoutes(UpstreamRules(proxy.collect_metrics, set_drained, lambda: generations.table)).routes()


def _sink_routes(proxy: Proxy) -> Routes:
    from ..web.manage.sinks import SinkRoutes

    events = proxy.foundation.events
    if events is None:
        return SinkRoutes(proxy.collect_metrics).routes()
    return SinkRoutes(proxy.collect_metrics, events).routes()


def _agent_routes(proxy: Proxy) -> Routes:
    from ..web.manage.agents import AgentRoutes

    def config() -> tuple[Any, str]:
        served = proxy.generations.current.config
        return served.agents, served.default_api

    if proxy.stored is None:
        return AgentRoutes(config).routes()
    from ..store.agentsettings import AgentSettingsStore

    return AgentRoutes(config, AgentSettingsStore(proxy.foundation.reactor, proxy.stored.database).versions).routes()


def _exchange_routes(proxy: Proxy) -> Routes:
    from ..management.exchanges import ExchangeRules
    from ..web.manage.exchanges import ExchangeRoutes

    return ExchangeRoutes(ExchangeRules(proxy.exchanges.running, proxy.exchanges.cut)).routes()


def _config_routes(proxy: Proxy) -> Routes:
    from ..config.pasted import check_pasted
    from ..management.config import ConfigRules
    from ..web.manage.config import ConfigRoutes
    from .reloading import on_thread
    from .shownsettings import shown_settings

    def reload() -> Deferred[Any]:
        return proxy.foundation.peers.reload(proxy.reloading.reload)

    def upgrade() -> bool:
        return proxy.foundation.peers.upgrade(proxy.reloading.upgrade)

    rules = ConfigRules(lambda: shown_settings(proxy.settings), reload, upgrade, check_pasted)
    return ConfigRoutes(rules, partial(on_thread, proxy.foundation.reactor)).routes()


def _audit_routes(auditing: Auditing | None) -> Routes:
    from ..web.manage.audit import AuditEvents

    if auditing is None:
        return AuditEvents(None, lambda: succeed(None)).routes()
    return AuditEvents(auditing.trail, auditing.log.flush).routes()
