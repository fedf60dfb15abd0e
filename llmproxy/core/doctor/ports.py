"""The verdict on the addresses where a proxy is to listen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from .findings import Finding, fault, note, ok, skipped, warning

PortState = Literal["free", "taken", "ours", "denied", "absent", "stale", "unknown"]
"""
C{ours}: a proxy answers there; C{absent}: the address is none of this machine's, or the directory of a socket is not
there; C{stale}: a socket's file that nobody listens at; C{unknown}: of a kind that only the start can try.
"""


@frozen
class PortFacts:
    """
    @ivar option: what it comes from.
    @ivar description: the endpoint.
    @ivar holder: who has it, C{"nginx (process 812)"}; C{""} if that cannot be seen.
    @ivar why: what the system says.
    """

    option: str
    description: str
    state: PortState
    holder: str = ""
    why: str = ""


def judge_ports(ports: tuple[PortFacts, ...]) -> Iterator[Finding]:
    """Whether a proxy can listen where it is to."""
    if not ports:
        yield skipped("the configuration says no address, as it is not whole")
    for port in ports:
        yield _of_port(port)


def _of_port(port: PortFacts) -> Finding:
    what, by = f"{port.option} {port.description}", f" by {port.holder}" if port.holder else ""
    if port.state == "free":
        return ok(f"{what}: is free")
    if port.state == "ours":
        return ok(f"{what}: a running llmproxy answers there{by}")
    if port.state == "taken":
        mend = "stop that program, or listen elsewhere"
        return fault(f"{what}: is taken{by or ', by a process that this user cannot see'}", mend)
    if port.state == "denied":
        mend = "ports below 1024 take CAP_NET_BIND_SERVICE, or a socket of systemd (--listen systemd:…)"
        return fault(f"{what}: may not be used: {port.why}", mend)
    if port.state == "absent":
        return fault(f"{what}: cannot be used: {port.why}", "correct the address, or make what it names")
    if port.state == "stale":
        return note(f"{what}: a socket is there that nobody listens at; the proxy replaces it")
    if port.why:
        return warning(f"{what}: {port.why}", "see whether the proxy starts with it")
    return skipped(f"{what}: is tried at the start only")
