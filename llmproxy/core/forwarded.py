"""
The client's address, where proxies of our own stand in front.

What a client writes into C{X-Forwarded-For} is theirs to choose; what a proxy of ours appends to it is not. So the
field is believed only from addresses that are configured, read from its end, and no further than the first
address that is not one of them. Only the one field is read that those proxies write: the other would be the client's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from attrs import frozen

from ..message import Fields

X_FORWARDED_FOR = "x-forwarded-for"
FORWARDED = "forwarded"

UNIX = "unix"
"""Stands for a client on a Unix socket, which has no address."""

MAX_HOPS = 32
"""Proxies in a row; what stands before that is not looked at."""

_PAIR = re.compile(r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*""")
_QUOTED = re.compile(r"\\(.)")
_HOST = re.compile(r"(?:[-.~!$&'()*+;=%\w]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")


@frozen
class TrustedProxies:
    """
    @ivar networks: whose word is believed.
    @ivar unix: so is that of a client on a Unix socket.
    @ivar field: the lower-case name of the field that they write.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False
    field: bytes = X_FORWARDED_FOR.encode()

    def client_of(self, peer: str, fields: Fields) -> str:
        """
        The address of the client.

        @param peer: of the client, C{""} on a Unix socket.
        """
        if not self.trusts(peer):
            return peer
        found = peer
        for address in self._hops(_joined(fields, self.field)):
            if address is None:
                # Not an address (RFC 7239 section 6: "unknown", or a name of the proxy's own): nothing beyond is known.
                return found
            found = address
            if not self._trusts(address):
                return found
        return found

    @property
    def rfc7239(self) -> bool:
        """They write C{Forwarded}."""
        return self.field == FORWARDED.encode()

    def trusts(self, peer: str) -> bool:
        """Whether who connected is one of those proxies; C{""} on a Unix socket."""
        return self._trusts(peer) if peer else self.unix

    def address_named(self, peer: str, fields: Fields) -> tuple[str, str]:
        """
        The scheme and the authority that the client used, as far as a trusted proxy tells them; C{""} where none does.

        RFC 7239 sections 5.3 and 5.4, or C{X-Forwarded-Proto} and C{-Host}. Of several the last one counts: it is
        the one that the proxy before us wrote.
        """
        if not self.trusts(peer):
            return "", ""
        if self.rfc7239:
            elements = list(_elements(_joined(fields, self.field)))
            named = _pairs(elements[-1]) or {} if elements else {}
            scheme, host = named.get("proto", ""), named.get("host", "")
        else:
            scheme, host = (
                _joined(fields, name).rpartition(",")[2].strip() for name in (b"x-forwarded-proto", b"x-forwarded-host")
            )
        return scheme.lower() if scheme.lower() in ("http", "https") else "", host if _HOST.fullmatch(host) else ""

    def _hops(self, text: str) -> Iterator[str | None]:
        parts = forwarded_for(text) if self.rfc7239 else text.split(",")
        for part in reversed(parts[-MAX_HOPS:]):
            if part.strip():
                yield address_of(part.strip())

    def _trusts(self, address: str) -> bool:
        return within(address, self.networks)


def within(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether an address is in one of C{networks}; what is no address is in none."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed.version == each.version and parsed in each for each in networks)


def trusted_proxies(texts: Iterable[str], field: str = X_FORWARDED_FOR) -> TrustedProxies | None:
    """
    Addresses, networks (C{10.0.0.0/8}) and C{unix}; C{None} if there are none.

    @raise ValueError: one of them is none of these, or C{field} is not a field that we know.
    """
    networks = []
    unix = False
    for text in texts:
        if text == UNIX:
            unix = True
        else:
            networks.append(network(text))
    if field.lower() not in (X_FORWARDED_FOR, FORWARDED):
        raise ValueError(f"expected x-forwarded-for or forwarded, got {field[:40]!r}")
    return TrustedProxies(tuple(networks), unix, field.lower().encode()) if networks or unix else None


def network(text: str) -> IPv4Network | IPv6Network:
    """
    @raise ValueError: it is no address and no network.
    """
    try:
        return ip_network(text)
    except ValueError:
        words = f"expected an address, a network such as 10.0.0.0/8, or unix, got {text[:60]!r}"
        raise ValueError(words) from None


def address_of(text: str) -> str | None:
    """An address without its port, in its usual form; C{None} for what is none."""
    match = _WITH_PORT.fullmatch(text)
    parsed = _parsed((match[1] or match[2]) if match else text)
    return None if parsed is None else str(parsed)


def forwarded_for(text: str) -> list[str]:
    """
    The C{for} of each element of C{Forwarded} (RFC 7239 section 4), in order; C{""} stands for one that says nothing
    that can be read.
    """
    found: list[str] = []
    for element in _elements(text):
        pairs = _pairs(element)
        found.append("unknown" if pairs is None else pairs.get("for") or "unknown")
    return found


def _pairs(element: str) -> dict[str, str] | None:
    """The parameters of one element, by their names in lower case; C{None} if it is malformed."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(element):
        match = _PAIR.match(element, at)
        if match is None:
            return None
        pairs[match[1].lower()] = match[3] if match[2] is None else _QUOTED.sub(r"\1", match[2])
        at = match.end()
        if element[at : at + 1] == ";":
            at += 1
    return pairs


def _joined(fields: Fields, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for candidate, value in fields if candidate.lower() == name)


def _elements(text: str) -> Iterator[str]:
    """Split at the commas that stand in no quotes."""
    quoted = escaped = False
    start = 0
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            if text[start:at].strip():
                yield text[start:at]
            start = at + 1
    if text[start:].strip():
        yield text[start:]


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket for both versions shows IPv4 clients as ::ffff:1.2.3.4.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
