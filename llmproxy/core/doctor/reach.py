"""The verdict on the way to upstreams: name, connection, certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from .findings import Finding, fault, ok, skipped, warning
from .words import span_words

Stage = Literal["", "name", "connection", "tls", "late"]
"""Where it ended; C{""} for nowhere."""

SLOW = 1.0
"""Seconds until a connection stands: clients wait for as long with each new one."""

DAY = 86_400.0
EXPIRES_SOON = 14 * DAY

_MENDS = {
    "name": "see the name in base_url, and the name servers of this machine (/etc/resolv.conf)",
    "connection": "see the port in base_url, and the firewall; HTTPS_PROXY names a proxy on the way",
    "tls": "name its authority in connection.ca_file, or correct the name in base_url (or sni)",
    "late": "see what is slow: the name server, the firewall that drops, the upstream",
}


@frozen
class ReachFacts:
    """
    @ivar api: whose it is.
    @ivar where: host and port.
    @ivar proxy: the proxy on the way, C{""} if there is none.
    @ivar stage: where it ended.
    @ivar why: what the system says of that.
    @ivar addresses: how many the name has.
    @ivar took: seconds until the connection stood, TLS included.
    @ivar secure: it is TLS.
    @ivar verified: its certificate has to be valid.
    @ivar expires_in: seconds; C{None} where no certificate was seen.
    """

    api: str
    upstream: str
    where: str
    proxy: str = ""
    stage: Stage = ""
    why: str = ""
    addresses: int = 0
    took: float | None = None
    secure: bool = True
    verified: bool = True
    expires_in: float | None = None


def judge_reach(upstreams: tuple[ReachFacts, ...] | None) -> Iterator[Finding]:
    """@param upstreams: C{None} for those that are not looked at (C{--offline})."""
    if upstreams is None:
        yield skipped("not looked at (--offline)")
    elif not upstreams:
        yield skipped("no upstream is configured")
    for each in upstreams or ():
        yield from _of_upstream(each)


def _of_upstream(facts: ReachFacts) -> Iterator[Finding]:
    name = facts.api if facts.upstream in ("", facts.api) else f"{facts.api} {facts.upstream}"
    where = f"{name} ({facts.where}{f' by way of the proxy {facts.proxy}' if facts.proxy else ''})"
    if facts.stage:
        yield fault(f"{where}: {facts.why}", _MENDS[facts.stage])
        return
    if not facts.verified and facts.secure:
        yield warning(f"{where}: its certificate is not verified", "take away connection.verify: false; see ca_file")
    if facts.expires_in is not None and facts.expires_in < EXPIRES_SOON:
        says = f"{where}: its certificate expires in {span_words(max(0.0, facts.expires_in))}"
        yield warning(says, "have its operator renew it: requests fail from then on")
    if facts.took is not None:
        what = "TLS stands" if facts.secure else "the connection stands"
        says = f"{where}: {what} after {span_words(facts.took)}"
        yield ok(says) if facts.took < SLOW else warning(says, _MENDS["late"])
