"""
The proxy that listens by itself.

It stands on L{llmproxy.app.proxy}, which knows every part. Both are known by none but C{tap}, C{cli} and embedders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, succeed
from twisted.logger import Logger

from .app.descriptors import most_connections, spare
from .app.draindelay import DrainDelay
from .app.peers import Alone, Peers
from .app.proxy import TransparentProxy
from .app.renewal import CertificateRenewal
from .app.settings import Settings
from .app.standardchain import standard_chain
from .app.summary import log_summary
from .app.watching import watch_of
from .web.site import ProxySite
from .workers.accepting import Accepting
from .workers.sockets import Inherited, open_port
from .workers.tlsports import above, certificates_for

if TYPE_CHECKING:
    from collections.abc import Generator

    from twisted.internet.interfaces import IListeningPort
    from twisted.web.resource import IResource

    from .interfaces import IRecordSink
    from .net.servertls import ServerCertificates


__all__ = ["ProxyService", "Settings", "TransparentProxy", "make_service", "standard_chain"]


FOR_MANAGEMENT = 32
"""Connections at once to the ports of management where descriptors are too few for all that are allowed."""


class ProxyService(MultiService):
    """
    The proxy with ports.

    Stopping closes the ports first, then drains: nobody new comes in while streams run to their end.

    @param record_sinks: see L{TransparentProxy}.
    @ivar started: fires with the listening ports, or fails with L{ConfigError}.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, settings: Settings, peers: Peers | None = None, record_sinks: Sequence[IRecordSink] = ()
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._settings = settings
        self._peers = peers = Alone() if peers is None else peers
        self.ports: list[IListeningPort] = []
        self.started: Deferred[list[IListeningPort]] = Deferred()
        self.proxy = TransparentProxy(reactor, settings, peers=peers, record_sinks=record_sinks)
        self.proxy.setServiceParent(self)
        self._delay = DrainDelay(reactor, settings.drain_delay)
        self.proxy.ending.after(self._delay.wait)
        apart = bool(settings.manage_listen)
        # Where descriptors are too few for all connections, clients leave some to upstream, and to management.
        most = most_connections(settings.apis.limits.connections)
        for_management = None if most is None else FOR_MANAGEMENT
        self._turned_away, self._accepts = spare(settings.apis.limits.connections)
        self.site = self._site(self.proxy.resource(manage=not apart), 0, most)
        self.management_site = self._site(self.proxy.management_resource(), 1, for_management) if apart else None
        self._certificates: list[ServerCertificates] = []
        self._renewal = CertificateRenewal(reactor, self._certificates)
        self._watch = watch_of(reactor, settings, self.reload)

    def _site(self, resource: IResource, number: int, most: int | None) -> ProxySite:
        apis, foundation = self._settings.apis, self.proxy.foundation
        return ProxySite(
            resource,
            reactor=self._reactor,
            limits=apis.limits,
            wheel=foundation.wheel,
            poller=foundation.poller,
            on_refusal=foundation.metering.refused,
            trusted_proxies=apis.trusted(),
            counts=self._peers.connections(number),
            most=most,
            turned_away=self._turned_away,
        )

    def startService(self) -> None:
        super().startService()
        self.proxy.started.addCallback(self._open_ports).addCallbacks(self.started.callback, self.started.errback)
        if self._watch is not None:
            self._watch.start()

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        if self._watch is not None:
            self._watch.stop()
        self._renewal.stop()
        self.proxy.ending.leave()
        yield self._delay.wait()
        yield DeferredList([_maybe(port.stopListening()) for port in self.ports])
        yield _maybe(super().stopService())

    def end_drain(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        self._delay.end()
        self.proxy.ending.end_drain()

    def reopen_logs(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        self.proxy.foundation.metering.reopen_logs()

    def reload(self) -> Deferred[Any]:
        """See L{llmproxy.app.signals.Stoppable}."""
        return DeferredList([self.proxy.reloading.by_signal(), self._renewal.renew()])

    @inlineCallbacks
    def _open_ports(self, opened: object) -> Generator[Deferred[Any], Any, list[IListeningPort]]:
        inherited, tls = self._settings.inherited, self._settings.apis.tls
        for at, (option, description) in enumerate(self._settings.listeners):
            site = self.site if option == "--listen" else self.management_site
            assert site is not None
            reactor = Inherited(self._reactor, *inherited[at], site.counts.is_ahead) if inherited else self._reactor
            plain, certificates = certificates_for(option, description, tls, site.acceptableProtocols())
            if certificates is not None:
                self._certificates.append(certificates)
                site.asks_certificates |= certificates.tls.client_ca is not None
            port = yield open_port(reactor, plain, above(site, certificates, self._reactor), option)
            if hasattr(port, "doRead"):
                Accepting(self._reactor, port, self._accepts)
            self.ports.append(port)
        self._renewal.start()
        if not inherited:
            # Of workers it is their parent who says so, once.
            log_summary(self._log.info, self._settings, [port.getHost() for port in self.ports])
        return self.ports


def make_service(
    reactor: Any, settings: Settings, peers: Peers | None = None, record_sinks: Sequence[IRecordSink] = ()
) -> ProxyService:
    """
    What C{tap} and C{cli} start.

    @param peers: other processes that serve the same; see L{TransparentProxy}.
    @param record_sinks: likewise.
    """
    return ProxyService(reactor, settings, peers, record_sinks)


def _maybe(result: Any) -> Deferred[Any]:
    return result if isinstance(result, Deferred) else succeed(result)
