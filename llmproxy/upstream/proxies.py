"""HTTP proxies in front of an origin, as the environment names them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from attrs import field, frozen

from ..errors import ConfigError


@frozen
class Proxy:
    """
    @ivar authorization: the value of C{Proxy-Authorization}, if the proxy wants one.
    """

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)


@frozen
class Proxies:
    """
    The proxies of an environment.

    @ivar bypass: what C{NO_PROXY} says, see L{bypassed}.
    """

    http: Proxy | None = None
    https: Proxy | None = None
    bypass: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """
        Read C{http_proxy}, C{https_proxy}, C{all_proxy} and C{no_proxy}; the lower-case name wins, as in curl.

        @raise ConfigError: for a proxy that is not C{http://}.
        """

        def proxy(name: str) -> Proxy | None:
            value = environment.get(name) or environment.get(name.upper()) or ""
            return _parse(name.upper(), value) if value else None

        fallback = proxy("all_proxy")
        return cls(
            http=proxy("http_proxy") or fallback,
            https=proxy("https_proxy") or fallback,
            bypass=environment.get("no_proxy") or environment.get("NO_PROXY") or "",
        )

    def before(self, secure: bool, host: str, port: int) -> Proxy | None:
        """The proxy on the way to an origin."""
        proxy = self.https if secure else self.http
        return None if proxy is None or bypassed(host, port, self.bypass) else proxy


def _parse(name: str, value: str) -> Proxy:
    try:
        url = urlsplit(value if "://" in value else "http://" + value)
        port = url.port or 80
    except ValueError:
        raise ConfigError(f"{name}: is not a URL") from None
    if url.scheme != "http" or not url.hostname:
        # The value may hold a password.
        raise ConfigError(
            f"{name}: only http:// proxies are known; connection.proxy_from_environment: false ignores it"
        )
    return Proxy(url.hostname, port, _authorization(url))


def _authorization(url: SplitResult) -> bytes | None:
    if url.username is None:
        return None
    pair = unquote_to_bytes(url.username) + b":" + unquote_to_bytes(url.password or "")
    return b"Basic " + b64encode(pair)


def is_address(host: str) -> bool:
    """Whether C{host} is an IP address rather than a name."""
    return _address(host) is not None


def bypassed(host: str, port: int, rules: str) -> bool:
    """
    Whether an origin is reached without a proxy.

    C{rules} are parted by commas or blanks: C{*} is everything; a name stands for itself and what is below it,
    with a leading dot or C{*.} only for what is below it; an address and a network in CIDR notation
    stand for themselves; each may end with a port. This machine is never asked through a proxy. That is
    Go's reading, and so the reference's.
    """
    host = host.lower().rstrip(".")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(rule.lower(), host, address, port) for rule in rules.replace(",", " ").split())


def _matches(rule: str, host: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
    if rule == "*":
        return True
    name, number = _port(rule)
    if number is not None and number != port:
        return False
    if address is not None:
        try:
            return address in ip_network(name, strict=False)
        except ValueError:
            return False
    name = name.rstrip(".").removeprefix("*")
    if name.startswith("."):
        return len(name) > 1 and host.endswith(name)
    return bool(name) and (host == name or host.endswith("." + name))


def _port(rule: str) -> tuple[str, int | None]:
    """A rule without its port and brackets, and the port."""
    if rule.startswith("["):
        inside, _, after = rule[1:].partition("]")
        return inside, int(after[1:]) if after[1:].isdecimal() else None
    if rule.count(":") == 1:
        name, _, number = rule.partition(":")
        if number.isdecimal():
            return name, int(number)
    return rule, None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
