"""Ports that speak TLS: the endpoint below, and the certificates above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.protocols.tls import TLSMemoryBIOFactory

from ..config.tls import TlsConfig, tls_listener
from ..errors import ConfigError

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
    try:
        found = tls_listener(description, tls)
    except ValueError as error:
        raise ConfigError(f"{option} {description}: {error}") from None
    if found is None:
        return description, None
    from ..net.servertls import ServerCertificates, ServerTls

    certificates = ServerCertificates(ServerTls(found.certificates, found.client_ca, found.client_auth), protocols)
    certificates.use(certificates.read())
    return found.plain, certificates


def above(factory: Any, certificates: ServerCertificates | None, clock: Any) -> Any:
    """What is spoken on a plain connection so that C{factory} is spoken over TLS."""
    return factory if certificates is None else TLSMemoryBIOFactory(certificates, False, factory, clock=clock)
