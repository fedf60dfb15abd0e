"""The proxy put together, as a service to embed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from ..errors import Draining
from ..middleware.availability import Availability
from .foundation import Foundation
from .generations import Generations
from .ownparts import OwnParts
from .peers import Alone, Peers
from .reloading import Reloading, at_once
from .running import RunningExchanges
from .settings import Settings, SettingsArguments, settings_of
from .shutdown import Shutdown
from .stops import stops_of
from .tree import management_tree, proxy_tree

if TYPE_CHECKING:
    from twisted.logger import Logger
    from twisted.web.resource import IResource
    from typing_extensions import Unpack

    from ..cache.stats import CacheStatsAggregator
    from ..composition import Placed
    from ..config import APIConfig, ProxyConfig
    from ..core.routing import RoutingTable
    from ..interfaces import IAuditLogger, IProjectActiveChecker, IProjectStore, IRecordSink, ITokenValidator
    from ..message import ApiRequest, ApiResponse
    from ..middleware.caching.cache import Cache
    from ..sinks.metrics import ProxyMetrics
    from ..store.database import Database


class TransparentProxy(Service):
    """
    The proxy as a service of an application, without a port of its own.

    >>> proxy = TransparentProxy(reactor, load_api_config("apis.yaml"), database_url="sqlite:///llm.db")
    >>> proxy.setServiceParent(application)
    >>> root.putChild(b"llm", proxy.resource())

    @param config: the APIs; a L{ProxyConfig} is one API by itself, at C{/}.
    @param settings: those of L{SettingsArguments}, unless C{config} is a whole L{Settings}.
    @param token_validator: decides who may ask, in place of the tokens in the database.
    @param project_store: the projects and their keys, in place of those in the database. With both of these no
        C{database_url} is needed, and there is no management. Beside one, a store may only say more of its projects.
    @param project_active_checker: is asked, at every request, whether its project may use its tokens.
    @param audit_logger: takes what the audit log would: who was not let in, and the calls of management.
    @param logger: says what the proxy has to say: of its end, of upstreams that fail, of circuits that open.
    @param middlewares: made by L{llmproxy.composition.before} and L{llmproxy.composition.after}.
    @param record_sinks: get the record of every exchange that has ended, masked.
    @param upstream_client: asks every upstream: treq's C{HTTPClient}, or a C{StubTreq}. It stays its owner's to close.
    @param metrics: what is counted in.
    @param cache_stats_aggregator: counts the hits of tokens.
    @param peers: other processes that serve the same; none by default.
    @raise ConfigError: with everything that is wrong, missing or given twice.
    @ivar started: fires when requests are served, which get 503 until then; fails with L{ConfigError}.
    @ivar stored: the database and what is kept warm of it; C{None} without a database.
    """

    def __init__(
        self,
        reactor: Any,
        config: APIConfig | ProxyConfig | Settings,
        *,
        token_validator: ITokenValidator | None = None,
        project_store: IProjectStore | None = None,
        project_active_checker: IProjectActiveChecker | None = None,
        audit_logger: IAuditLogger | None = None,
        logger: Logger | None = None,
        middlewares: Sequence[Placed] = (),
        record_sinks: Sequence[IRecordSink] = (),
        upstream_client: Any = None,
        metrics: ProxyMetrics | None = None,
        cache_stats_aggregator: CacheStatsAggregator | None = None,
        peers: Peers | None = None,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        self.settings = settings_of(config, settings)
        own = OwnParts(
            token_validator,
            project_store,
            project_active_checker,
            audit_logger,
            logger,
            middlewares,
            record_sinks,
            upstream_client,
            metrics,
            cache_stats_aggregator,
        )
        own.check(self.settings)
        self.settings.apis.validate()
        table = self.settings.apis.routing_table()
        self.started: Deferred[None] = Deferred()
        self.foundation = Foundation(reactor, self.settings, own, Alone() if peers is None else peers, table)
        gate = Availability(self.started, lambda: self.draining)
        self.generations = Generations(self.foundation, gate, self.settings.apis, table)
        self.exchanges = RunningExchanges(reactor, self.generations, self.foundation.peers, self.foundation.masking)
        self.reloading = Reloading(reactor, lambda: self.settings, at_once(self.take))
        # Called with the settings of each configuration that is taken.
        self.listeners: list[Callable[[Settings], object]] = []
        self.stored = self.foundation.stored
        stops = stops_of(self.foundation, self.generations)
        self.ending = Shutdown(reactor, self.generations, self.settings.drain_seconds, stops, logger)

    @property
    def draining(self) -> bool:
        """No new requests are taken."""
        return self.ending.draining

    @property
    def cache(self) -> Cache | None:
        """What is stored of answers, to be purged; C{None} where nothing is cached."""
        return self.foundation.cache

    @property
    def database(self) -> Database:
        """The database, for an application that keeps tokens and projects itself; there is one if it was asked for."""
        assert self.stored is not None, "this proxy was made without a database_url"
        return self.stored.database

    def respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        """Answer one request; see L{llmproxy.interfaces.Responder}."""
        return self.generations.current.respond(request)

    def swap(self, config: APIConfig | ProxyConfig) -> Deferred[None]:
        """
        Serve another configuration from now on; what is running goes on with the one that it began with.

        @return: fires when that has ended, and its clients are closed.
        @raise ConfigError: with everything that is wrong; nothing has changed then. L{Draining} during a shutdown.
        """
        apis = settings_of(config, {}).apis
        apis.validate()
        return self.take(evolve(self.settings, apis=apis), apis.routing_table())

    def take(self, settings: Settings, table: RoutingTable) -> Deferred[None]:
        """As L{swap}, with settings that have been checked, and what their APIs are compiled to."""
        if self.draining:
            raise Draining("the proxy is shutting down")
        ended, self.settings = self.generations.swap(settings.apis, table), settings
        for listener in self.listeners:
            listener(settings)
        return ended

    def resource(self, *, manage: bool = True) -> IResource:
        """The proxy, C{/health}, C{/ready}, C{/live}, and with C{manage} metrics and management."""
        return proxy_tree(self, manage)

    def management_resource(self) -> IResource:
        """Management, C{/health}, C{/ready}, C{/live} and metrics, without the proxy: for a port of their own."""
        return management_tree(self)

    def metrics(self) -> ProxyMetrics:
        """A copy of the counters of this process, up to the exchange that ended last, gauges read."""
        return self.foundation.metering.snapshot()

    def collect_metrics(self) -> Deferred[ProxyMetrics]:
        """The numbers that C{/metrics} shows: those of this process and of its peers."""
        return self.foundation.peers.collect_metrics(self.metrics)

    def set_metrics(self, metrics: ProxyMetrics) -> None:
        """Count in C{metrics} from now on, gauges included; what was counted until now stays where it is."""
        self.foundation.metering.replace_metrics(metrics)
        self.generations.count_in(metrics)

    def set_cache_stats_aggregator(self, aggregator: CacheStatsAggregator) -> None:
        """Count the hits of tokens there, instead of where they were counted: what waits there is written down."""
        self.foundation.metering.replace_hits(aggregator)

    def startService(self) -> None:
        self.ending.with_reactor()
        super().startService()
        self.foundation.metering.lag.start()
        self.generations.start()
        self.foundation.open().chainDeferred(self.started)

    def stopService(self) -> Deferred[None]:
        """Drain, then write down what is left to write down, then release everything."""
        super().stopService()
        return self.shutdown()

    def shutdown(self) -> Deferred[None]:
        """Refuse new requests, let running ones end for C{drain_seconds}, cut the rest, flush, close. Once."""
        return self.ending.now()
