"""Whose request it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..message import Fields


def client_of(request: Any) -> str:
    """
    The address of the client, as far as trusted proxies in front tell it; C{""} on a Unix socket.

    Our own requests know it. Others are those of a stock site, or of HTTP/2.
    """
    known: str | None = getattr(request, "client_host", None)
    if known is not None:
        return known
    return through_proxies(request, peer_of(request), lambda: _fields(request))


def peer_of(request: Any) -> str:
    """The address of who connected, be it the client or a proxy in front of us; C{""} on a Unix socket."""
    known: str | None = getattr(request, "peer_host", None)
    return known if known is not None else getattr(request.getClientAddress(), "host", "") or ""


def through_proxies(request: Any, peer: str, fields: Any) -> str:
    """
    @param fields: called for the header section where a proxy is trusted at all.
    """
    trusted = getattr(getattr(request, "site", None), "trusted_proxies", None)
    found: str = peer if trusted is None else trusted.client_of(peer, fields())
    return found


def _fields(request: Any) -> Fields:
    return [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]
