"""Failures by address: a leaky bucket for each of a bounded number of them."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

BURST = 10
"""Failures that are nothing special: somebody looks for the right token."""

FORGIVEN_AFTER = 6.0
"""Seconds for one failure: ten a minute is what a guesser gets."""

MAX_ADDRESSES = 10_000


class Failures:
    """
    @param max_addresses: above it, the one that failed longest ago is forgotten.
    """

    def __init__(
        self, burst: int = BURST, forgiven_after: float = FORGIVEN_AFTER, max_addresses: int = MAX_ADDRESSES
    ) -> None:
        self._forgiven_after = forgiven_after
        self._slack = (burst - 1) * forgiven_after
        self._max_addresses = max_addresses
        # When all is forgiven.
        self._until: OrderedDict[str, float] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address may try again; 0 if it may now."""
        return max(0.0, self._until.get(network_of(address), now) - now - self._slack)

    def failed(self, address: str, now: float) -> None:
        """Note that it has failed."""
        network = network_of(address)
        self._until[network] = max(self._until.pop(network, now), now) + self._forgiven_after
        if len(self._until) > self._max_addresses:
            self._until.popitem(last=False)


def network_of(address: str) -> str:
    """What one holder has: a holder of an IPv6 address has 2^64 of them (RFC 6177)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.packed[:8].hex()
