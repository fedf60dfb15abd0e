"""Ports that speak TLS: the endpoint below, and the certificates above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.protocols.tls import TLSMemoryBIOFactory

from ..app.servedtls import server_tls
from ..config.tls import TlsConfig

if TYPE_CHECKING:
    from ..net.servertls import ServerCertificates


def certificates_for(
    option: str, description: str, tls: TlsConfig, protocols: Sequence[bytes] = ()
) -> tuple[str, ServerCertificates | None]:
    """
    The endpoint below TLS, and certificates that have been read; the endpoint itself and C{None} where it is not TLS,
    or where Twisted is left to serve it.

    @param option: where it comes from.
    @param protocols: what is spoken above, see L{llmproxy.net.servertls.load}.
    @raise ConfigError: the endpoint or its files cannot be used.
    """
    plain, served = server_tls(option, description, tls)
    if served is None:
        return plain, None
    from ..net.servertls import ServerCertificates

    certificates = ServerCertificates(served, protocols, (option, description))
    certificates.use(certificates.read())
    return plain, certificates


def above(factory: Any, certificates: ServerCertificates | None, clock: Any) -> Any:
    """What is spoken on a plain connection so that C{factory} is spoken over TLS."""
    return factory if certificates is None else TLSMemoryBIOFactory(certificates, False, factory, clock=clock)
