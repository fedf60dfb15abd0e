"""
The proxy that listens by itself.

It stands on L{llmproxy.app.proxy}, which knows every part. Both are known by none but C{tap}, C{cli} and embedders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, succeed
from twisted.logger import Logger

from .app.descriptors import most_connections
from .app.draindelay import DrainDelay
from .app.options import ServiceOptions
from .app.proxy import TransparentProxy
from .app.standardchain import standard_chain
from .app.summary import log_summary
from .web.site import ProxySite
from .workers.accepting import Accepting
from .workers.sockets import Inherited, open_port

if TYPE_CHECKING:
    from collections.abc import Generator

    from twisted.internet.interfaces import IListeningPort
    from twisted.web.resource import IResource


__all__ = ["ProxyService", "ServiceOptions", "TransparentProxy", "make_service", "standard_chain"]


FOR_MANAGEMENT = 32
"""Connections at once to the ports of management where descriptors are too few for all that are allowed."""


class ProxyService(MultiService):
    """
    The proxy with ports.

    Stopping closes the ports first, then drains: nobody new comes in while streams run to their end.

    @ivar started: fires with the listening ports, or fails with L{ConfigError}.
    """

    _log = Logger()

    def __init__(self, reactor: Any, options: ServiceOptions) -> None:
        super().__init__()
        self._reactor = reactor
        self._options = options
        self.ports: list[IListeningPort] = []
        self.started: Deferred[list[IListeningPort]] = Deferred()
        self.proxy = TransparentProxy(
            reactor,
            options.apis,
            database_url=options.database_url,
            encryption_key=options.encryption_key,
            old_encryption_keys=options.old_encryption_keys,
            require_encryption=options.require_encryption,
            pool_size=options.pool_size,
            keep_ended_tokens=options.keep_ended_tokens,
            management_token=options.management_token,
            metrics_path=options.metrics_path,
            metrics_token=options.metrics_token,
            access_log=options.access_log,
            log_format=options.log_format,
            log_level=options.log_level,
            drain_seconds=options.drain_seconds,
            cache=options.cache,
            audit=options.audit,
        )
        self.proxy.setServiceParent(self)
        self._delay = DrainDelay(reactor, options.drain_delay)
        self.site = self._site(self.proxy.resource(manage=not options.manage_listen))
        self.management_site = self._site(self.proxy.management_resource()) if options.manage_listen else None
        self._share_descriptors()

    def _site(self, resource: IResource) -> ProxySite:
        return ProxySite(
            resource,
            reactor=self._reactor,
            limits=self._options.apis.limits,
            wheel=self.proxy.wheel,
            poller=self.proxy.poller,
            on_refusal=self.proxy.refused,
            trusted_proxies=self._options.apis.trusted(),
        )

    def _share_descriptors(self) -> None:
        """Where descriptors are too few for all connections, clients leave some to upstream, and to management."""
        self.site.most = most_connections(self._options.apis.limits.connections)
        if self.site.most is not None and self.management_site is not None:
            self.management_site.most = FOR_MANAGEMENT

    def startService(self) -> None:
        super().startService()
        self.proxy.started.addCallback(self._open_ports).addCallbacks(self.started.callback, self.started.errback)

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        self.proxy.leaving = True
        yield self._delay.wait()
        yield DeferredList([_maybe(port.stopListening()) for port in self.ports])
        yield _maybe(super().stopService())

    def end_drain(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        self._delay.end()
        self.proxy.end_drain()

    def reopen_logs(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        self.proxy.reopen_logs()

    @inlineCallbacks
    def _open_ports(self, opened: object) -> Generator[Deferred[Any], Any, list[IListeningPort]]:
        inherited = self._options.inherited
        for at, (option, description) in enumerate(self._options.listeners):
            site = self.site if option == "--listen" else self.management_site
            assert site is not None
            reactor = Inherited(self._reactor, *inherited[at], site.counts.is_ahead) if inherited else self._reactor
            port = yield open_port(reactor, description, site, option)
            if hasattr(port, "doRead"):
                Accepting(self._reactor, port)
            self.ports.append(port)
        if not inherited:
            # Of workers it is their parent who says so, once.
            log_summary(self._log.info, self._options, [port.getHost() for port in self.ports])
        return self.ports


def make_service(reactor: Any, options: ServiceOptions) -> ProxyService:
    """What C{tap} and C{cli} start."""
    return ProxyService(reactor, options)


def _maybe(result: Any) -> Deferred[Any]:
    return result if isinstance(result, Deferred) else succeed(result)
