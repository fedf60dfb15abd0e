"""Lists of what a token and its project may use: APIs, endpoints, source addresses, models."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from attrs import frozen

from ...limiterrors import AddressNotAllowed, ApiNotAllowed, EndpointNotAllowed
from ...message import Principal
from ...usagelimits import UsageLimits
from ..endpoints import Endpoints, settled
from ..forwarded import within

SHOWN = 100
"""Characters of a caller's own text that an error repeats."""


@frozen
class Allowed:
    """
    What one of both allows; C{None} is everything.

    @ivar whose: in words: C{the token 'ci'}.
    @ivar models: patterns.
    """

    whose: str
    apis: frozenset[str] | None
    endpoints: Endpoints | None
    networks: tuple[IPv4Network | IPv6Network, ...] | None
    models: tuple[str, ...] | None

    @classmethod
    def of(cls, whose: str, limits: UsageLimits) -> Allowed:
        """The lists among them."""
        apis, endpoints, networks = map(_listed, (limits.apis, limits.endpoints, limits.source_addresses))
        return cls(
            whose,
            None if apis is None else frozenset(apis),
            None if endpoints is None else Endpoints.compile(endpoints),
            None if networks is None else tuple(map(ip_network, networks)),
            _listed(limits.models),
        )

    def check(self, api: str, path: bytes, address: str) -> None:
        """
        @param path: relative to the API, without a query.
        @param address: of the client; C{""} on a Unix socket, where no network is.
        @raise NotPermitted: one of them is not on its list.
        """
        if self.networks is not None and not within(address, self.networks):
            raise AddressNotAllowed(f"{address or 'a Unix socket'} is not among source_addresses of {self.whose}")
        if self.apis is not None and api not in self.apis:
            raise ApiNotAllowed(f"{api} is not among apis of {self.whose}: {', '.join(sorted(self.apis))}")
        if self.endpoints is not None:
            plain = settled(path)
            if plain is None or self.endpoints.find(plain) is None:
                shown = path.decode("utf-8", "replace")[:SHOWN]
                raise EndpointNotAllowed(f"{shown} is not among endpoints of {self.whose}")


def allowed_of(principal: Principal, defaults: UsageLimits) -> tuple[Allowed, ...]:
    """What the lists of a token (with defaults) and of its project allow; both must."""
    return tuple(Allowed.of(whose, limits) for whose, limits in _stated(principal, defaults) if limits.has_lists)


def _stated(principal: Principal, defaults: UsageLimits) -> Iterator[tuple[str, UsageLimits]]:
    token, project = principal.token, principal.project
    yield f"the token {(token.name or token.hint)!r}", token.limits.over(defaults)
    yield f"the project {project.name!r}", project.limits


def _listed(value: object) -> tuple[str, ...] | None:
    return value if isinstance(value, tuple) else None
