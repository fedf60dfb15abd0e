"""The certificate of a client, as far as a port asks for one: whom records name by it."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import ISSLTransport

from .basicrequest import BasicRequest
from .site import ProxySite

NAME = "client_certificate"
"""What records call it."""

_known: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""By connection, as long as there is one: all requests of it have the same."""


def certificate_of(request: object) -> str:
    """Who the client of a request is by its certificate; C{""} where its port asks for none, or it has none."""
    if not isinstance(request, BasicRequest):
        return ""
    site: Any = request.site
    if not (isinstance(site, ProxySite) and site.asks_certificates):
        return ""
    transport: Any = request.transport
    if not ISSLTransport.providedBy(transport):
        return ""
    known = _known.get(transport)
    if known is None:
        from ..net.servertls import identity_of

        known = _known[transport] = identity_of(transport.getPeerCertificate())
    return known
