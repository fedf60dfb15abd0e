"""
The proxy that listens by itself.

It stands on L{llmproxy.app.proxy}, which knows every part. Both are known by none but C{tap}, C{cli} and embedders.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, succeed
from twisted.internet.task import deferLater
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
from .net.twistedinternals import leave_listening
from .web.site import ProxySite
from .workers.accepting import Accepting
from .workers.handover import Handover, HeldSocket
from .workers.sockets import Inherited, open_port
from .workers.succession import Succession, with_sockets
from .workers.tlsports import above, certificates_for

if TYPE_CHECKING:
    from collections.abc import Generator

    from twisted.internet.interfaces import IListeningPort
    from twisted.web.resource import IResource

    from .interfaces import IRecordSink
    from .net.servertls import ServerCertificates
    from .workers.program import Program


__all__ = ["ProxyService", "Settings", "TransparentProxy", "make_service", "standard_chain"]


PATIENCE = 5.0
"""Seconds for which idle connections stay open where a successor serves: a busy client asks again within them."""

LOOKED_EVERY = 0.1
"""Seconds between two looks whether any are left."""

FOR_MANAGEMENT = 32
"""Connections at once to the ports of management where descriptors are too few for all that are allowed."""


class ProxyService(MultiService):
    """
    The proxy with ports.

    Stopping closes the ports first, then drains: nobody new comes in while streams run to their end.

    @param record_sinks: see L{TransparentProxy}.
    @param program: what starts this process; C{None} where an application has made it.
    @param handover: what the process before has left.
    @ivar started: fires with the listening ports, or fails with L{ConfigError}.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        peers: Peers | None = None,
        record_sinks: Sequence[IRecordSink] = (),
        program: Program | None = None,
        handover: Handover | None = None,
    ) -> None:
        super().__init__()
        left = Handover() if handover is None else handover
        self._ready = left.ready
        settings = with_sockets(settings, left.sockets)
        self._upgrade = Succession(reactor, program, self._held, self.retire, left.ready >= 0)
        self._reactor = reactor
        self._settings = settings
        self._peers = peers = Alone() if peers is None else peers
        self.ports: list[IListeningPort] = []
        self.started: Deferred[list[IListeningPort]] = Deferred()
        self.proxy = TransparentProxy(reactor, settings, peers=peers, record_sinks=record_sinks)
        self.proxy.setServiceParent(self)
        if program is not None:
            self.proxy.reloading.upgrade = self._upgrade.ask
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
        self._tls = settings.apis.tls
        self.proxy.listeners.append(self._take_certificates)
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

    def upgrade(self) -> Deferred[None]:
        """See L{llmproxy.app.signals.Stoppable}."""
        return self._upgrade.begin()

    def _take_certificates(self, settings: Settings) -> None:
        if settings.apis.tls == self._tls:
            return
        self._tls = settings.apis.tls
        # What it does is in the log.
        self._renewal.take(self._tls)
        self._ask_for_certificates()

    def _ask_for_certificates(self) -> None:
        asking = {each.listener[0] for each in self._certificates if each.tls.client_ca is not None}
        for option, site in (("--listen", self.site), ("--manage-listen", self.management_site)):
            if site is not None:
                site.asks_certificates = option in asking

    def _held(self) -> list[HeldSocket]:
        """The sockets of all ports, for a successor."""
        return [
            HeldSocket(option, description, port.fileno(), int(port.addressFamily))  # type: ignore[attr-defined]
            for (option, description), port in zip(self._settings.listeners, self.ports, strict=False)
        ]

    @inlineCallbacks
    def retire(self) -> Generator[Deferred[Any], Any, None]:
        """
        Stop because another process serves at the same sockets: they stay open, and so do, for L{PATIENCE}, connections
        that wait for nothing. A client that asks there once more gets its answer, and C{Connection: close}: one whose
        connection is closed while it asks cannot know whether it was heard.
        """
        sites = [site for site in (self.site, self.management_site) if site is not None]
        for site in sites:
            site.patient = True
        for port in self.ports:
            leave_listening(port)
        self._delay.end()
        yield DeferredList([_maybe(port.stopListening()) for port in self.ports])
        ends = self._reactor.seconds() + PATIENCE
        while any(site.connections for site in sites) and self._reactor.seconds() < ends:
            yield deferLater(self._reactor, LOOKED_EVERY)
        for site in sites:
            site.close_idle()
        yield self.stopService()

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
            port = yield open_port(reactor, plain, above(site, certificates, self._reactor), option)
            if hasattr(port, "doRead"):
                Accepting(self._reactor, port, self._accepts)
            self.ports.append(port)
        self._ask_for_certificates()
        self._renewal.start()
        if self._ready >= 0:
            os.write(self._ready, b"ready")
            os.close(self._ready)
        if not inherited:
            # Of workers it is their parent who says so, once.
            log_summary(self._log.info, self._settings, [port.getHost() for port in self.ports])
        return self.ports


def make_service(
    reactor: Any,
    settings: Settings,
    peers: Peers | None = None,
    record_sinks: Sequence[IRecordSink] = (),
    program: Program | None = None,
    handover: Handover | None = None,
) -> ProxyService:
    """What C{tap} and C{cli} start; see L{ProxyService}."""
    return ProxyService(reactor, settings, peers, record_sinks, program, handover)


def _maybe(result: Any) -> Deferred[Any]:
    return result if isinstance(result, Deferred) else succeed(result)
