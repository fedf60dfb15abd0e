"""TLS that a port serves, of what the configuration says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..config.tls import TlsConfig, tls_listener
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..net.servertls import ServerTls


def server_tls(option: str, description: str, tls: TlsConfig) -> tuple[str, ServerTls | None]:
    """
    The endpoint below TLS, and what a port of it serves; the endpoint itself and C{None} where it is not TLS, or where
    Twisted is left to serve it.

    @param option: where it comes from.
    @raise ConfigError: it cannot be.
    """
    try:
        found = tls_listener(description, tls)
    except ValueError as error:
        raise ConfigError(f"{option} {description}: {error}") from None
    if found is None:
        return description, None
    from ..net.servertls import ServerTls

    return found.plain, ServerTls(found.certificates, found.client_ca, found.client_auth)


def check_certificates(listeners: Iterable[tuple[str, str]], tls: TlsConfig) -> None:
    """
    Read what all ports would serve, and forget it. It blocks.

    @raise ConfigError: one of them could not be served.
    """
    for option, description in listeners:
        _, served = server_tls(option, description, tls)
        if served is not None:
            from ..net.servertls import load

            load(served, ())
