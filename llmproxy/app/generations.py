"""The generations of a proxy: the one that takes what is new, and those before it whose exchanges have not ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from .gauges import show_cache, show_handshakes, show_ledger, show_process
from .generation import Generation

if TYPE_CHECKING:
    from ..composition import Middleware
    from ..config import APIConfig
    from ..core.routing import RoutingTable
    from ..message import Ending
    from ..sinks.metrics import ProxyMetrics
    from .foundation import Foundation


class Generations:
    """
    @param gate: see L{Generation}.
    @param table: what C{config} is compiled to.
    @ivar current: what takes what is new.
    """

    _log = Logger()

    def __init__(self, foundation: Foundation, gate: Middleware, config: APIConfig, table: RoutingTable) -> None:
        self._foundation = foundation
        self._gate = gate
        self._ending: dict[Generation, Deferred[Any]] = {}
        self.current = Generation(foundation, config, table, gate, self.shed)
        self._running = self._caching = False
        self.count_in(foundation.metering.metrics)
        if foundation.events is not None:
            foundation.events.watch(lambda: self.current.reports(), lambda: self.current.breaker.states())

    @property
    def table(self) -> RoutingTable:
        """Which API a target belongs to, of what is new."""
        return self.current.table

    @property
    def apis(self) -> list[str]:
        """The names that projects can have keys for: those of the APIs that are served now, and of their upstreams."""
        apis = self.current.table.apis
        others = (upstream.project_key for api in apis for upstream in api.upstreams if upstream.project_key)
        return list(dict.fromkeys([*(api.name for api in apis), *others]))

    @property
    def listed(self) -> list[str]:
        """The names of the APIs that are served now: what a token or a project may be restricted to."""
        return [api.name for api in self.current.table.apis]

    @property
    def default_api(self) -> str:
        """The one at C{/}."""
        return self.current.config.default_api

    @property
    def living(self) -> list[Generation]:
        """The current one, and those that drain."""
        return [self.current, *self._ending]

    @property
    def in_flight(self) -> int:
        """Exchanges that are running in any of them, and what the cache asks in the background."""
        return self._foundation.background.in_flight + sum(each.account.in_flight for each in self.living)

    def start(self) -> None:
        """The service runs."""
        self._running = True
        self.current.start()
        cache = self._foundation.cache
        if cache is not None and not self._caching:
            self._caching = True
            cache.store.start()

    def swap(self, config: APIConfig, table: RoutingTable) -> Deferred[None]:
        """
        Have a generation of C{config} take what is new from now on.

        @return: fires when the one before has ended; cancelling it changes nothing.
        @raise ConfigError: it cannot be made; nothing has changed then.
        """
        former, events = self.current, self._foundation.events
        sinks = () if events is None else events.configs
        # An application's configuration may say nothing of sinks.
        takes_sinks = events is not None and bool(config.sinks) and tuple(config.sinks) != sinks
        if events is not None and takes_sinks:
            events.prepare(config.sinks)
        try:
            self.current = Generation(self._foundation, config, table, self._gate, self.shed, former)
        except BaseException:
            if events is not None:
                events.discard()
            raise
        if takes_sinks:
            self._foundation.take_sinks()
        if events is not None:
            events.reloaded(former.config, config)
        self._say_kept(evolve(former.config, sinks=sinks), evolve(config, sinks=events.configs if events else ()))
        if self._foundation.identity is not None and config.identity is not None:
            self._foundation.learn(config.identity.secrets())
            self._foundation.identity.take(config.identity)
        self._foundation.forget()
        if self._running:
            self.start()
        self.count_in(self._foundation.metering.metrics)
        ended: Deferred[None] = Deferred(lambda _: None)
        draining = self._ending[former] = former.drain()
        draining.addBoth(self._ended, former, ended)
        return ended

    def _say_kept(self, before: APIConfig, after: APIConfig) -> None:
        """That what is said is kept from now on, or no longer."""
        from ..config.capturevariables import kept_where

        was, said = kept_where(before), kept_where(after)
        if said != was:
            self._log.warn("{said}", said=said or "capture: nothing of what is said is kept any more")

    def count_in(self, metrics: ProxyMetrics) -> None:
        """Have everything that is not in a record counted and shown there."""
        foundation, metering = self._foundation, self._foundation.metering
        for each in self.living:
            each.breaker.count_in(metrics.openings)
        metrics.show_circuits(self.current.breaker.states, self.current.guarded())
        metrics.upstreams = self.current.reports
        if foundation.events is not None:
            metrics.sinks = foundation.events.reports
        if foundation.capturing is not None:
            foundation.capturing.show(metrics)
        if foundation.identity is not None:
            foundation.identity.counts.show(metrics)
        if foundation.cache is not None:
            foundation.cache.count_in(metrics.cache)
            show_cache(metrics, foundation.cache, metering.dropped_hits)
        if foundation.auditing is not None:
            foundation.auditing.show(metrics)
        foundation.limiting.show(metrics)
        if foundation.ledger is not None:
            show_ledger(metrics, foundation.ledger)
        show_process(metrics, self, metering.lag)
        show_handshakes(metrics, foundation.poller.handshakes)
        text = "Answers whose usage could not be read."
        metrics.counter("llmproxy_meter_errors", text, lambda: metering.meter_errors)

    def idle(self) -> Deferred[Any]:
        """Fires once nothing is running in any of them."""
        return DeferredList([each.account.idle() for each in self.living] + [self._foundation.background.idle()])

    def cut_all(self, ending: Ending) -> None:
        """End whatever is running, and say so in its record."""
        for each in self.living:
            each.account.cut_all(ending)
        self._foundation.background.cut_all(ending)

    def shed(self) -> int:
        """Give back the descriptors of all connections to upstream that nobody uses; how many there were."""
        return sum(each.shed() for each in self.living)

    def close(self) -> Deferred[Any]:
        """Close the clients of all of them."""
        closing = [each.close() for each in self.living]
        for draining in list(self._ending.values()):
            draining.cancel()
        return DeferredList(closing)

    def _ended(self, result: Any, generation: Generation, ended: Deferred[None]) -> None:
        self._ending.pop(generation, None)
        if isinstance(result, Failure) and not result.check(CancelledError):
            self._log.failure("the configuration before could not be ended cleanly", result)
        if not ended.called:
            ended.callback(None)
