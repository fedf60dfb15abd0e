"""Renewal of certificates: files are watched, and new connections get what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import ConfigError
from .reloading import on_thread
from .servedtls import server_tls
from .watching import FileWatch

if TYPE_CHECKING:
    from ..config.tls import TlsConfig
    from ..net.servertls import ServerCertificates


class CertificateRenewal:
    """
    @param certificates: gives those of all ports; what is read is used only where all of it is good.
    """

    _log = Logger()

    def __init__(self, reactor: Any, certificates: Sequence[ServerCertificates]) -> None:
        self._reactor = reactor
        self._certificates = certificates
        self._watch = FileWatch(reactor, self._files, partial(on_thread, reactor), self.renew)

    def _files(self) -> set[str]:
        return {path for each in self._certificates for path in each.tls.files}

    def start(self) -> None:
        """Watch the files, if there are any."""
        if self._certificates:
            self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    def take(self, tls: TlsConfig) -> Deferred[None]:
        """Serve what another configuration says, which has been checked; where it says nothing, nothing changes."""
        if tls.certificates:
            for each in self._certificates:
                _, served = server_tls(*each.listener, tls)
                each.tls = served or each.tls
        return self.renew()

    def renew(self) -> Deferred[None]:
        """Read all of them; what is wrong is logged, and those that are served stay."""
        return Deferred.fromCoroutine(self._renew())

    async def _renew(self) -> None:
        certificates = tuple(self._certificates)
        try:
            read = await on_thread(self._reactor, lambda: [each.read() for each in certificates])
        except ConfigError as error:
            self._log.error("tls: the certificates stay as they were: {problems}", problems=error)
            return
        for each, contexts in zip(certificates, read, strict=True):
            each.use(contexts)
            for loaded in contexts.certificates:
                words = "tls: {path} is served, for {names}, good until {until:%Y-%m-%d}"
                self._log.info(words, path=loaded.path, names=", ".join(loaded.names), until=loaded.until)
