"""The certificate of a client, as far as a port asks for one: whom records name by it."""

from __future__ import annotations

from typing import Any

NAME = "client_certificate"
"""What records call it."""

_KNOWN = "llmproxy_client_certificate"
"""Where a connection keeps it: all requests of one have the same."""


def certificate_of(request: Any) -> str:
    """Who the client of a request is by its certificate; C{""} where its port asks for none, or it has none."""
    transport = getattr(request, "transport", None)
    site = getattr(request, "site", None)
    if transport is None or not getattr(site, "asks_certificates", False):
        return ""
    known: str | None = getattr(transport, _KNOWN, None)
    if known is None:
        known = _read(transport)
        setattr(transport, _KNOWN, known)
    return known


def _read(transport: Any) -> str:
    from ..net.servertls import identity_of

    ask = getattr(transport, "getPeerCertificate", None)
    return "" if ask is None else identity_of(ask())
