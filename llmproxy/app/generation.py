"""A generation of a proxy: all that follows from one configuration, taken into use as one and drained as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList

from ..core.attributing.attribution import Hashing
from ..core.upstreamreports import UpstreamReport, reports_of
from ..core.upstreamstate import UpstreamStates
from ..middleware.attribution import Attribute
from ..middleware.auditdenials import AuditDenials
from ..middleware.breaker import Breaker
from ..middleware.estimate import estimate_for
from ..middleware.includeusage import include_usage_for
from ..middleware.meter import meter_for
from ..middleware.recordexchanges import RecordExchanges
from ..middleware.usagetrailer import usage_trailer_for
from ..net.slices import Slices
from ..upstream.client import PooledClient
from ..upstream.responder import UpstreamResponder
from .healthchecks import Checked, HealthChecks
from .standardchain import standard_chain

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from ..composition import Middleware
    from ..config import APIConfig
    from ..core.routing import RoutingTable
    from ..core.telemetry.traces import Traces
    from .foundation import Foundation

CHECKED_EVERY = 1.0
"""Seconds between two looks whether the clients of a generation that drains have nothing on its way any more."""


class Generation:
    """
    What outlives it is the foundation's: database, directory, quota, cache, audit log, metrics. The state of its
    breaker goes over to the next one for every API that is still at the same place with the same settings: a broken
    upstream is not found out anew by everybody because something else has changed.

    @param gate: decides whether anything is begun at all.
    @param make_room: gives back descriptors of connections that nobody uses, of all generations.
    @param former: the one before.
    @ivar table: which API a target belongs to.
    @ivar account: counts its exchanges.
    @ivar states: of its upstreams; an upstream that is where it was keeps its own in the next generation.
    @ivar clients: by the name of the API.
    @ivar respond: see L{llmproxy.interfaces.Responder}.
    """

    def __init__(
        self,
        foundation: Foundation,
        config: APIConfig,
        table: RoutingTable,
        gate: Middleware,
        make_room: Callable[[], object],
        former: Generation | None = None,
    ) -> None:
        self.config = config
        self.table = table
        self._foundation = foundation
        self._make_room = make_room
        reactor, metering = foundation.reactor, foundation.metering
        upstreams = [each for api in table.apis for each in api.upstreams]
        foundation.learn(each.own_key.key for each in upstreams if each.own_key is not None)
        metering.origins.update((api.name, ", ".join(each.origin.url for each in api.upstreams)) for api in table.apis)
        metering.costs.use(config.price_rules(), table.apis)
        seal, publish = metering.takers(table.apis)
        self.account = RecordExchanges(reactor, publish, config.trusted(), seal)
        self.breaker = Breaker(reactor, openings=metering.metrics.openings, log=foundation.own.logger)
        self.states: UpstreamStates = UpstreamStates(table.apis, None if former is None else former.states)
        if former is not None:
            self.breaker.take_over(former.breaker, set(_unchanged(former.table, table)))
        self._pooled = {} if foundation.own.upstream_client is not None else dict(self._clients())
        self.clients: dict[str, Any] = self._pooled or dict.fromkeys(
            (api.name for api in table.apis), foundation.own.upstream_client
        )
        self._checks = HealthChecks(foundation.reactor, self._checked())
        self._next_look: IDelayedCall | None = None
        self._waiting: Deferred[None] | None = None
        self._closing: Deferred[Any] | None = None
        self.respond = self._chain(gate)

    def start(self) -> None:
        """The service runs: check upstreams from now on. Idempotent."""
        self._checks.start()

    def _checked(self) -> Iterable[Checked]:
        """The upstreams that are checked; with an application's own client none is."""
        for api in self.table.apis:
            client = self._pooled.get(api.name)
            for upstream in api.upstreams:
                if upstream.health is not None and client is not None:
                    yield Checked(api.name, upstream, self.states.of(upstream), client)

    def drain(self) -> Deferred[Any]:
        """
        Nothing new comes: fires when its last exchange has ended, and its clients have closed. What the cache fetches
        with them for others may outlive the exchange that began it, and is waited for too.
        """
        self._checks.stop()
        self.shed()
        return self.account.idle().addCallback(lambda _: self._quiet()).addCallback(lambda _: self.close())

    def shed(self) -> int:
        """Close the connections to upstream that nobody uses; how many there were."""
        return sum(client.shed() for client in self._pooled.values())

    def close(self) -> Deferred[None]:
        """Cut what runs, close the clients; once. An application's own client is its own to close."""
        self._checks.stop()
        self._seen_quiet()
        if self._closing is None:
            self._closing = DeferredList([client.close() for client in self._pooled.values()])
        closed: Deferred[None] = Deferred()

        def done(result: Any) -> Any:
            closed.callback(None)
            return result

        self._closing.addBoth(done)
        return closed

    def guarded(self) -> Iterable[str]:
        """The names of the APIs that have a breaker."""
        return [api.name for api in self.table.apis if api.settings.breaker is not None]

    def reports(self) -> list[UpstreamReport]:
        """What this process knows of its upstreams."""
        return list(reports_of(self.table.apis, self.states, self.breaker.tallies(), self._foundation.wheel.now()))

    def set_drained(self, api: str, upstream: str, drained: bool) -> None:
        """
        Have nothing more go to an upstream, or have requests go there again; one that there is not is nothing to do.

        @param upstream: its name.
        """
        for each, name, state in self.states.all():
            if (each, name or each) == (api, upstream):
                state.drain() if drained else state.undrain(self._foundation.wheel.now())

    def _quiet(self) -> Deferred[None]:
        quiet: Deferred[None] = Deferred()
        self._waiting = quiet
        self._look()
        return quiet

    def _look(self) -> None:
        self._next_look = None
        if all(client.is_quiet for client in self._pooled.values()):
            self._seen_quiet()
        else:
            self._next_look = self._foundation.reactor.callLater(CHECKED_EVERY, self._look)

    def _seen_quiet(self) -> None:
        look, self._next_look = self._next_look, None
        if look is not None:
            look.cancel()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _clients(self) -> Iterable[tuple[str, PooledClient]]:
        foundation = self._foundation
        for api in self.table.apis:
            yield (
                api.name,
                PooledClient(
                    foundation.reactor,
                    api.settings.connection,
                    wheel=foundation.wheel,
                    poller=foundation.poller,
                    names=foundation.names,
                    make_room=self._make_room,
                ),
            )

    def _chain(self, gate: Middleware) -> Any:
        foundation = self._foundation
        audit, clients, metering = foundation.audit_log, self.clients, foundation.metering
        return standard_chain(
            UpstreamResponder(lambda api: clients[api.name], trusted=self.account.trusted).respond,
            account=self.account,
            table=self.table,
            gate=gate,
            authenticate=foundation.admission.authenticate,
            quota=foundation.admission.quota,
            limits=foundation.limiting.middleware(self.config.usage_limits.settings()),
            strangers=foundation.limiting.strangers(self.config.usage_limits.settings()),
            overload=foundation.limiting.overload(self.config.usage_limits.overload, foundation.wheel),
            capture=foundation.capture_for(self.table.apis),
            ledger=foundation.ledger,
            breaker=self.breaker,
            wheel=foundation.wheel,
            inspection=foundation.inspection,
            attribution=Attribute(
                self.table.apis, Hashing(foundation.settings.encryption_key), Slices(foundation.reactor)
            ),
            cache=foundation.cache_for(each.settings.cache for each in self.table.apis),
            usage_trailer=usage_trailer_for(self.table.apis, metering.costs.note),
            include_usage=include_usage_for(self.table.apis, foundation.wheel, metering.meter_failed),
            estimate=estimate_for(self.table.apis, metering.estimates),
            meter=meter_for(self.table.apis, foundation.reactor.seconds, metering.meter_failed, metering.counting),
            refused=None if audit is None else AuditDenials(audit),
            placed=foundation.own.placed(audit),
            states=self.states,
            defaults=self.config.usage_limits.defaults,
            beside_pages=foundation.settings.any_pages_beside_apis,
            traces=_traces(self.config),
        )


def _traces(config: APIConfig) -> Traces | None:
    """Of the exchanges of a generation; C{None}, and nothing of it is imported, where nothing is traced."""
    options = config.tracing_options()
    if options is None:
        return None
    from random import Random

    from ..core.telemetry.traces import Traces

    # No secrets: ids have to be unlike those of others, and no more.
    return Traces(options, Random(os.urandom(32)).getrandbits)  # noqa: S311


def _unchanged(former: RoutingTable, table: RoutingTable) -> Iterable[tuple[str, str]]:
    """The APIs and the places of them that are there still, by name and URL, where the breaker is what it was."""
    for api in table.apis:
        before = former.named(api.name)
        if before is not None and before.settings.breaker == api.settings.breaker:
            places = {upstream.url for upstream in before.upstreams}
            yield from ((api.name, upstream.url) for upstream in api.upstreams if upstream.url in places)
