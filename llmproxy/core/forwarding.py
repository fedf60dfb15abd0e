"""
Fields that tell upstream who and where the client is, in the four ways that an API may choose.

C{strip}: none of them. C{pass}: those that the client sent, as they came. C{append}: what came, and the hop to this
proxy, as a proxy in a chain does. C{set}: what this proxy knows, and nothing that a client claims.
"""

from __future__ import annotations

import re

from attrs import frozen

from ..message import ApiRequest, Field, Fields
from .fields import CLIENT_ADDRESS_FIELDS, LOWER, first, values, without
from .forwarded import TrustedProxies

_CHAINS = frozenset({b"x-forwarded-for", b"forwarded"})
_OF_HOP = frozenset({b"x-forwarded-proto", b"x-forwarded-host"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@frozen
class Hop:
    """
    What is known of the way to this proxy.

    @ivar peer: the address of who connected; C{""} on a Unix socket.
    @ivar trusted: it is a proxy of ours.
    @ivar client: the address of the client, as far as proxies of ours tell it.
    @ivar scheme: of this hop, C{http} or C{https}.
    @ivar host: the value of C{Host}, C{""} if there was none.
    @ivar client_scheme: what the client used, as far as proxies of ours tell it.
    @ivar client_host: likewise.
    """

    peer: str
    trusted: bool
    client: str
    scheme: str
    host: str
    client_scheme: str
    client_host: str


def hop_of(request: ApiRequest, trusted: TrustedProxies | None) -> Hop:
    """The way that a request has come."""
    fields, peer = request.fields, request.peer
    scheme, host = "https" if request.secure else "http", (first(fields, b"host") or b"").decode("latin-1")
    if trusted is None or not trusted.trusts(peer):
        return Hop(peer, False, request.client, scheme, host, scheme, host)
    client_scheme, client_host = trusted.address_named(peer, fields)
    return Hop(peer, True, request.client, scheme, host, client_scheme or scheme, client_host or host)


def forwarded_on(mode: str, fields: Fields, hop: Hop, rfc7239: bool = False) -> list[Field]:
    """
    The header section with what C{mode} wants of these fields.

    C{Forwarded} (RFC 7239) is written where the request has one, and tells the same as C{X-Forwarded-*}.

    @param rfc7239: it is what the proxies in front write, and is written in any case.
    """
    if mode == "pass":
        return list(fields)
    rest = without(fields, CLIENT_ADDRESS_FIELDS)
    if mode == "strip":
        return rest
    rfc7239 = rfc7239 or bool(values(fields, b"forwarded"))
    if mode == "set":
        return rest + _set(hop, rfc7239)
    return _kept(fields, hop.trusted) + _appended(fields, hop, rfc7239)


def _set(hop: Hop, rfc7239: bool) -> list[Field]:
    found = [] if not hop.client else [(b"X-Forwarded-For", hop.client.encode("ascii", "replace"))]
    found.append((b"X-Forwarded-Proto", hop.client_scheme.encode("ascii")))
    if hop.client_host:
        found.append((b"X-Forwarded-Host", hop.client_host.encode("latin-1")))
    if rfc7239:
        found.append((b"Forwarded", element(hop.client, hop.client_scheme, hop.client_host).encode("latin-1")))
    return found


def _kept(fields: Fields, trusted: bool) -> list[Field]:
    """
    All but the chains, which are written anew. What stands in no chain is believed of a proxy of ours; of others it
    would look to upstream as if we had said it.
    """
    return without(fields, _CHAINS if trusted else CLIENT_ADDRESS_FIELDS)


def _appended(fields: Fields, hop: Hop, rfc7239: bool) -> list[Field]:
    found = [(b"X-Forwarded-For", _chain(fields, b"x-forwarded-for", hop.peer or "unknown"))]
    named = {LOWER[name] for name, _ in fields} & _OF_HOP if hop.trusted else frozenset()
    if b"x-forwarded-proto" not in named:
        found.append((b"X-Forwarded-Proto", hop.client_scheme.encode("ascii")))
    if b"x-forwarded-host" not in named and hop.client_host:
        found.append((b"X-Forwarded-Host", hop.client_host.encode("latin-1")))
    if rfc7239:
        found.append((b"Forwarded", _chain(fields, b"forwarded", element(hop.peer, hop.scheme, hop.host))))
    return found


def _chain(fields: Fields, name: bytes, last: str) -> bytes:
    return b", ".join([value for value in values(fields, name) if value] + [last.encode("latin-1", "replace")])


def element(address: str, scheme: str, host: str) -> str:
    """One element of C{Forwarded}, RFC 7239 section 4."""
    # Section 6: an IPv6 address stands in brackets, and so in quotes.
    node = f"[{address}]" if ":" in address else address or "unknown"
    pairs = {"for": node, "proto": scheme, "host": host}
    return ";".join(f"{name}={_value(value)}" for name, value in pairs.items() if value)


def _value(text: str) -> str:
    if _TOKEN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
