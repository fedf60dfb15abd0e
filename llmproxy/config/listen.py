"""Addresses to listen on: written as the reference does, read as descriptions of Twisted endpoints."""

from __future__ import annotations

import re
from ipaddress import ip_address

_ADDRESS = re.compile(r"(?:\[([^\]]*)\]|([0-9.]*)|(localhost)):([0-9]{1,5})", re.ASCII)
_MODE = re.compile(r"(?<!\\):mode=")
_INTERFACE = re.compile(r"(?:^|:)interface=((?:\\.|[^:\\])+)")
_REUSE = re.compile(r"(?<!\\):reuse_port=([^:]*)")
_REUSES = {"yes": True, "no": False}
_DESCRIPTION = re.compile(r"[a-z][a-z0-9_]*:.+", re.ASCII)


def endpoint_description(text: str) -> str:
    """
    C{:8080}, C{127.0.0.1:9000}, C{localhost:8080} and C{[::1]:8080} become C{tcp:} and C{tcp6:} descriptions;
    a description stays what it is. No host is every IPv4 address of the machine.

    @raise ValueError: it is neither.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        if _DESCRIPTION.fullmatch(text):
            return text
        raise ValueError(
            f"expected an address such as :8080, 127.0.0.1:9000 or [::1]:8080, or a Twisted endpoint, got {text!r}"
        )
    six, four, localhost, port = match.groups()
    if int(port) > 65535:
        raise ValueError(f"expected a port up to 65535, got {text!r}")
    host = "127.0.0.1" if localhost else six or four
    if not host and six is None:
        return f"tcp:{port}"
    return _with_interface(text, host, port)


def check_endpoint(description: str) -> None:
    """
    What can be known of a description before it is used; certificates and descriptors are looked at then.

    @raise ValueError: Twisted knows no such endpoint.
    """
    description, _ = reuse_of(description)
    # Loading plugins takes a tenth of a second.
    from twisted.internet.endpoints import serverFromString
    from twisted.internet.interfaces import IStreamServerEndpointStringParser
    from twisted.plugin import getPlugins

    kind = description.partition(":")[0]
    if kind in ("tcp", "tcp6", "unix"):
        try:
            serverFromString(None, description)
        except (TypeError, ValueError) as error:
            raise ValueError(f"not an endpoint that can be used: {error}, got {description!r}") from None
    elif kind not in ("ssl", "tls", *(each.prefix for each in getPlugins(IStreamServerEndpointStringParser))):
        raise ValueError(f"Twisted knows no endpoint {kind!r}, got {description!r}")


def reuse_of(description: str) -> tuple[str, bool]:
    """
    The description that Twisted knows, and whether other programs may listen there too (C{:reuse_port=yes},
    C{SO_REUSEPORT}).

    @raise ValueError: it says so in words that mean nothing, or of what has no port.
    """
    match = _REUSE.search(description)
    if match is None:
        return description, False
    if match[1] not in _REUSES:
        raise ValueError(f"reuse_port: expected yes or no, got {match[1]!r}")
    if description.partition(":")[0] not in ("tcp", "tcp6", "tls", "ssl"):
        raise ValueError(f"reuse_port is of ports, and {description.partition(':')[0]}: has none of its own")
    return description[: match.start()] + description[match.end() :], _REUSES[match[1]]


def private_endpoint_description(text: str) -> str:
    """
    The same for what is not for everybody: a Unix socket is its owner's alone, unless it says otherwise.

    @raise ValueError: as L{endpoint_description}.
    """
    description = endpoint_description(text)
    if description.startswith("unix:") and not _MODE.search(description):
        return description + ":mode=600"
    return description


def _with_interface(text: str, host: str, port: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} in {text!r} is not the address of an interface") from None
    if (address.version == 6) != text.startswith("["):
        raise ValueError(f"an IPv6 address, and no other, stands in brackets, got {text!r}")
    escaped = host.replace(":", "\\:")
    return f"tcp{'6' if address.version == 6 else ''}:{port}:interface={escaped}"


def is_private(description: str) -> bool:
    """Whether only this machine reaches an endpoint."""
    kind, _, rest = description.partition(":")
    if kind == "unix":
        return True
    found = _INTERFACE.search(rest)
    if found is None:
        return False
    interface = found[1].replace("\\:", ":")
    try:
        return interface == "localhost" or ip_address(interface).is_loopback
    except ValueError:
        return False
