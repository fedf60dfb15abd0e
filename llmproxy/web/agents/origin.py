"""Addresses of ours as clients have to write them: scheme, host, and what is below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...errors import BadRequest
from ..api.stocksite import fields_of
from ..clientaddress import peer_of

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ...core.forwarded import TrustedProxies


_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def origin_of(request: Request, trusted: TrustedProxies | None, public_url: str = "") -> str:
    """
    Where a request has come to, C{https://proxy.example}.

    @param public_url: what is configured, which wins.
    @raise BadRequest: it does not say so.
    """
    if public_url:
        return public_url.rstrip("/")
    named = ("", "") if trusted is None else trusted.address_named(peer_of(request), fields_of(request))
    scheme = named[0] or ("https" if request.isSecure() else "http")
    host = named[1] or (request.getHeader(b"host") or b"").decode("latin-1")
    if scheme not in ("http", "https") or not _AUTHORITY.fullmatch(host):
        raise BadRequest("expected a Host that this proxy is reached by")
    return f"{scheme}://{host}"
