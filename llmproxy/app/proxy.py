"""The proxy put together, as a service to embed."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, succeed
from twisted.logger import Logger

from ..cache.backends import choose_store
from ..cache.stats import CacheStatsAggregator, CacheStatsAggregatorConfig
from ..core.caching.settings import CacheOptions
from ..core.masking import Masking
from ..message import Record
from ..middleware.auditdenials import AuditDenials
from ..middleware.authenticate import Authenticate
from ..middleware.availability import Availability
from ..middleware.breaker import Breaker
from ..middleware.caching.cache import Cache
from ..middleware.caching.state import HELD
from ..middleware.checking.inspection import Inspection
from ..middleware.recordexchanges import RecordExchanges
from ..net.poller import Poller
from ..net.resolver import Names
from ..net.timers import TimerWheel
from ..providers.registry import Binding
from ..sinks.accesslog import AccessLog, LogFile
from ..sinks.failurelog import FailureLog
from ..sinks.lag import ReactorLag
from ..sinks.metrics import ProxyMetrics
from ..sinks.publisher import Publisher
from ..store.directory import Directory
from ..store.engine import POOL_SIZE, open_database
from ..store.leases import LeasedQuota
from ..upstream.client import PooledClient
from ..upstream.responder import UpstreamResponder
from ..upstream.settings import ConnectionSettings
from ..web.api.resource import ProxyResource
from ..web.root import Paths, Root
from ..workers.broadcast import ChangeApplier
from .auditlog import Auditing
from .ending import Ending
from .gauges import count_in
from .standardchain import standard_chain
from .tree import management_of, put_metrics, put_operations

if TYPE_CHECKING:
    from collections.abc import Generator

    from twisted.web.resource import IResource

    from ..config import APIConfig
    from ..core.audit.settings import AuditOptions
    from ..core.routing import RoutingTable
    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse
    from ..web.jsonresource import JsonResource


class TransparentProxy(Service):
    """
    The proxy as a service of an application, without a port of its own.

    >>> proxy = TransparentProxy(reactor, load_api_config("apis.yaml"), database_url="sqlite:///llm.db")
    >>> proxy.setServiceParent(application)
    >>> root.putChild(b"llm", proxy.resource())

    @ivar started: fires when the database is open; fails with L{ConfigError}. Until then requests
        are answered with 503.
    @ivar draining: no new requests are taken.
    @ivar leaving: C{/ready} says so, and requests are taken still.
    @ivar drain_seconds: what running exchanges get when the proxy stops.
    @ivar table: which API a target belongs to.
    @ivar default_api: the name of the one at C{/}.
    @ivar told: what management tells of its changes, if not L{directory} itself.
    @ivar cache: what is stored of answers, and lets go of it; C{None} if no API is cached.
    @ivar purge_others: lets go of answers that other workers have stored, as L{Cache.purge}.
    @ivar flush_others: has other workers write down what they have counted of tokens.
    @ivar collect_metrics: gives the numbers that C{/metrics} shows: those of this process, or of all workers.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: APIConfig,
        *,
        database_url: str,
        encryption_key: bytes | None = None,
        old_encryption_keys: Sequence[bytes] = (),
        require_encryption: bool = False,
        pool_size: int = POOL_SIZE,
        keep_ended_tokens: float | None = None,
        management_token: str = "",
        metrics_path: str | None = "/metrics",
        metrics_token: str = "",
        access_log: str | None = None,
        log_format: str = "json",
        log_level: str = "info",
        drain_seconds: float = 30.0,
        resolution: float = 0.1,
        cache: CacheOptions | None = None,
        audit: AuditOptions | None = None,
    ) -> None:
        self._reactor = reactor
        self._config = config
        self.table = config.routing_table()
        self.default_api = config.default_api
        self._management_token = management_token
        self._metrics_path = metrics_path
        self._metrics_token = metrics_token
        self.drain_seconds = drain_seconds
        self.started: Deferred[None] = Deferred()
        self.draining = self.leaving = False
        self._late: Any = None
        self._managed_idle: Deferred[Any] | None = None
        self.told: Any = None
        self.collect_metrics: Callable[[], Deferred[Any]] = self._own_metrics
        self.flush_others: Callable[[], Deferred[Any]] = lambda: succeed(None)
        self.purge_others: Callable[[str | None, str | None, bytes], Deferred[int]] = lambda *_: succeed(0)
        self.wheel = TimerWheel(reactor, resolution)
        self.poller = Poller(reactor)
        limits = config.limits
        self.inspection = Inspection(reactor, self.wheel, limits.withheld, limits.withheld_rate)
        self.names = Names(reactor)
        self.database = open_database(
            reactor,
            database_url,
            encryption_key=encryption_key,
            old_encryption_keys=old_encryption_keys,
            require_encryption=require_encryption,
            pool_size=pool_size,
            binding=Binding(config.default_api, _providers(self.table)),
        )
        self.quota = LeasedQuota(reactor, self.database)
        self._upkeep: Any = None
        self._keep_ended = keep_ended_tokens
        self.directory = Directory(reactor, self.database.tokens, self.database.projects, quota=self.quota)
        self.hearing = ChangeApplier(self)
        self._changes: Any = None
        self._managing: list[JsonResource] = []
        self._ending = Ending(reactor, self._shut_down)
        self.lag = ReactorLag(reactor)
        self._metrics = ProxyMetrics(time.time())
        self._log_file = LogFile(access_log) if access_log is not None else None
        logs: list[Any] = []
        if self._log_file is not None:
            logs.append(AccessLog(self._log_file.write, log_format, log_level))
        cache = CacheOptions() if cache is None else cache
        stats = CacheStatsAggregatorConfig(buffer_size=cache.stats_buffer)
        self.hits = CacheStatsAggregator(reactor, self.database.usage, stats)
        failures = FailureLog(reactor.seconds, _origins(self.table))
        keys = [key for key in (encryption_key, *old_encryption_keys) if key is not None]
        secrets = [management_token, metrics_token, *(b64encode(key).decode() for key in keys), *_own_keys(self.table)]
        masking = Masking(secrets)
        self.publisher = Publisher(reactor, [self._metrics, self.hits, failures, *logs], masking=masking)
        self._refusals = Publisher(reactor, logs, masking=masking)
        self.account = RecordExchanges(reactor, self.publisher.publish, config.trusted())
        self.clients = {api.name: self._client(api) for api in config.compiled()}
        self.cache = self._cache(cache)
        self.auditing = None if audit is None else Auditing(reactor, self.database, audit, secrets)
        self._respond = self._chain()
        count_in(self, self._metrics)

    def resource(self, *, manage: bool = True) -> IResource:
        """
        The resource tree: the proxy, C{/health}, C{/ready}, C{/live}, metrics and management.

        @param manage: C{False} leaves management and metrics out, for a tree that everybody can reach.
        """
        root = Root(ProxyResource(time.time, self.respond), self.account.trusted)
        put_operations(root, self)
        if manage:
            self._put_metrics(root)
        if manage and self._management_token:
            root.put_path("manage", self._management())
        return root

    def management_resource(self) -> IResource:
        """Management, C{/health}, C{/ready}, C{/live} and metrics, without the proxy: for a port of their own."""
        root = Paths(self.account.trusted)
        put_operations(root, self)
        self._put_metrics(root)
        root.put_path("manage", self._management())
        return root

    def _put_metrics(self, root: Paths) -> None:
        if self._metrics_path is not None:
            put_metrics(root, self._metrics_path, lambda: self.collect_metrics(), self._metrics_token)

    def metrics(self) -> ProxyMetrics:
        """A copy of the counters of this process, up to the exchange that ended last, gauges read."""
        self.publisher.flush()
        return self._metrics.snapshot()

    def set_metrics(self, metrics: ProxyMetrics) -> None:
        """Count in C{metrics} from now on, gauges included; what was counted until now stays where it is."""
        self.publisher.replace(self._metrics, metrics)
        self._metrics = metrics
        count_in(self, metrics)

    def set_cache_stats_aggregator(self, aggregator: CacheStatsAggregator) -> None:
        """Count the hits of tokens there, instead of where they were counted: what waits there is written down."""
        former, self.hits = self.hits, aggregator
        self.publisher.replace(former, aggregator)
        if former.is_running and former is not aggregator:
            aggregator.start()
            former.stop().addErrback(lambda reason: self._log.failure("hits could not be written down", reason))

    def _own_metrics(self) -> Deferred[Any]:
        return succeed(self.metrics())

    def refused(self, status: int, code: str, client: str, detail: str = "", request_id: str = "") -> None:
        """Count and log what a port turned away before it became an exchange; see L{ProxySite}."""
        self._metrics.refused(code)
        record = Record(request_id, "", "", client, time.time(), status=status, error_code=code, ended="refused")
        record.details = {"detail": detail}
        self._refusals.publish(record)

    def respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        """Answer one request; see L{llmproxy.interfaces.Responder}."""
        return self._respond(request)

    def startService(self) -> None:
        super().startService()
        self._ending.with_reactor()
        self.lag.start()
        if self.cache is not None:
            self.cache.store.start()
        self.database.start().addCallback(self._follow).addCallbacks(self._opened, self.started.errback)

    def stopService(self) -> Deferred[None]:
        """Drain, then write down what is left to write down, then let go of everything."""
        super().stopService()
        return self.shutdown()

    def shutdown(self) -> Deferred[None]:
        """
        Refuse new requests, let running ones end for C{drain_seconds}, cut the rest, flush, close. Once: who calls it
        again waits for the same. A reactor that stops does it too.

        What fails on the way is logged and does not keep the rest from being closed.
        """
        return self._ending.now()

    @inlineCallbacks
    def _shut_down(self) -> Generator[Deferred[Any], Any, None]:
        self.draining = self.leaving = True
        ends = self._reactor.seconds() + self.drain_seconds
        if self.account.in_flight:
            words = "draining: waiting up to {seconds:g} s for {count} exchanges that are running"
            self._log.info(words, seconds=self.drain_seconds, count=self.account.in_flight)
            yield self._drained()
        yield self._managed(ends)
        self.publisher.flush()
        self._refusals.flush()
        if self._changes is not None:
            self._changes.stop()
            yield self._upkeep.stop()
        stores = (self._stop_store, self.hits.stop, self.quota.stop, self._stop_auditing)
        for closing in (*stores, self._close_clients, self.database.close):
            try:
                yield closing()
            except Exception:
                self._log.failure("could not shut down cleanly")
        self.lag.stop()
        self.wheel.stop()
        if self._log_file is not None:
            self._log_file.close()

    def end_drain(self) -> None:
        """Wait no longer for what runs, now or when the drain begins: it is cut."""
        self.drain_seconds = 0.0
        if self._late is not None and self._late.active():
            self._late.reset(0)
        if self._managed_idle is not None:
            self._managed_idle.cancel()

    def reopen_logs(self) -> None:
        """Open the file of the access log anew; never the audit log's, whose chain goes on."""
        self.publisher.flush()
        self._refusals.flush()
        if self._log_file is not None:
            self._log_file.reopen()

    def _drained(self) -> Deferred[Any]:
        idle: Deferred[Any] = self.account.idle()
        self._late = late = self._reactor.callLater(self.drain_seconds, self.account.cut_all, "shutdown")

        def ended(result: Any) -> Any:
            if late.active():
                late.cancel()
            return result

        return idle.addBoth(ended)

    def _managed(self, ends: float) -> Deferred[Any]:
        """Fires when the calls of management have ended, which are made whole, or at C{ends}."""
        running = sum(each.running for each in self._managing)
        if running:
            self._log.info("draining: {count} calls of management are running", count=running)
        idle = self._managed_idle = DeferredList([each.idle() for each in self._managing], consumeErrors=True)
        return idle.addTimeout(max(0.0, ends - self._reactor.seconds()), self._reactor)

    def _stop_store(self) -> Deferred[None]:
        return succeed(None) if self.cache is None else self.cache.store.stop()

    def _stop_auditing(self) -> Deferred[None]:
        return succeed(None) if self.auditing is None else Deferred.fromCoroutine(self.auditing.stop())

    def _close_clients(self) -> Deferred[Any]:
        return DeferredList([client.close() for client in self.clients.values()])

    def _follow(self, result: object) -> Deferred[None]:
        """From now on, what others change in the database is noticed here."""
        from ..store.changes import Changes
        from ..store.upkeep import Upkeep

        self._upkeep = Upkeep(self._reactor, self.database, self._keep_ended)
        hearing = self.hearing
        lost = lambda: Deferred.fromCoroutine(hearing.lost_track())  # noqa: E731
        self._changes = Changes(self._reactor, self.database, hearing.heard_all, lost)
        return self._changes.start()

    def _opened(self, result: object) -> None:
        self.quota.start()
        self._upkeep.start()
        self.hits.start()
        if self.auditing is not None:
            self.auditing.start()
        self.started.callback(None)

    def _client(self, api: Api) -> PooledClient:
        settings = api.settings.get("connection")
        connect = api.timeouts.connect
        connection = ConnectionSettings.of(settings, connect_timeout=connect)
        return PooledClient(
            self._reactor,
            connection,
            wheel=self.wheel,
            poller=self.poller,
            names=self.names,
            make_room=self._make_room,
        )

    def _make_room(self) -> int:
        """Give back the descriptors of all connections to upstream that nobody uses; how many there were."""
        return sum(client.shed() for client in self.clients.values())

    def _cache(self, options: CacheOptions) -> Cache | None:
        settings = [api.settings["cache"] for api in self._config.compiled() if "cache" in api.settings]
        if not options.enabled or not settings:
            return None
        store = choose_store(self._reactor, options, self.poller, self.names)
        held = max(HELD, *(min(each.max_object, store.largest) for each in settings))
        return Cache(self._reactor, store, self.quota, self.account, self._metrics.cache, held)

    def _chain(self) -> Responder:
        self.breaker = Breaker(self._reactor)
        return standard_chain(
            UpstreamResponder(lambda api: self.clients[api.name], trusted=self.account.trusted).respond,
            account=self.account,
            table=self.table,
            gate=Availability(self.started, lambda: self.draining),
            authenticate=Authenticate(self._reactor, self.directory, self.directory),
            quota=self.quota,
            breaker=self.breaker,
            wheel=self.wheel,
            inspection=self.inspection,
            cache=self.cache,
            refused=None if self.auditing is None else AuditDenials(self.auditing.log),
        )

    def _management(self) -> IResource:
        resource = management_of(self, self._reactor, self._management_token)
        self._managing.append(resource)
        return resource


def _providers(table: RoutingTable) -> tuple[tuple[str, str], ...]:
    """The names of the APIs, each with those whose upstreams it has."""
    return tuple((api.name, upstream.provider) for api in table.apis for upstream in api.upstreams)


def _origins(table: RoutingTable) -> dict[str, str]:
    """Where the APIs are, for the log."""
    return {api.name: ", ".join(upstream.origin.url for upstream in api.upstreams) for api in table.apis}


def _own_keys(table: RoutingTable) -> list[str]:
    """The secrets of providers that this process knows from its configuration."""
    found = [upstream.own_key for api in table.apis for upstream in api.upstreams]
    return [own.key for own in found if own is not None]
