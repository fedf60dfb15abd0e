"""The causes for which upstream gave no answer, or no whole one, in words."""

from __future__ import annotations

import errno

from ..errors import OutOfResources, ProxyError, UpstreamError
from ..message import Cause

PHRASES: dict[Cause, str] = {
    "name_not_found": "cannot be reached: its host name was not found",
    "name_server": "cannot be reached: no name server answered for its host name",
    "refused": "cannot be reached: the connection was refused",
    "unroutable": "cannot be reached: there is no route to its address",
    "unreachable": "cannot be reached",
    "proxy": "cannot be reached through the outgoing proxy",
    "connect_timeout": "cannot be reached: no connection within timeouts.connect",
    "certificate_name": "cannot be trusted: its certificate is for another name",
    "certificate": "cannot be trusted: its certificate was not accepted",
    "client_certificate": "did not accept the client certificate of this proxy",
    "tls": "could not agree on TLS with this proxy",
    "closed": "closed the connection before a request could be sent",
    "reset": "closed the connection before it answered",
    "cut_short": "closed the connection within its answer",
    "protocol": "sent what is not a valid HTTP answer",
    "response_header_timeout": "did not begin to answer within timeouts.response_header",
    "silence_timeout": "was silent for longer than timeouts.silence",
    "request_timeout": "took longer than timeouts.request",
    "too_many_files": "cannot be reached: this proxy has no file descriptor left",
    "no_ports": "cannot be reached: this machine has no local port left",
    "no_memory": "cannot be reached: this machine has no memory left for sockets",
    "upstream": "failed",
}
"""What follows the name of an API. Persons who run the proxy read it in its log, its clients in an error."""

LOCAL: frozenset[Cause] = frozenset({"too_many_files", "no_ports", "no_memory"})
"""What says nothing of upstream."""

_BY_NUMBER: dict[int, Cause] = {
    errno.EMFILE: "too_many_files",
    errno.ENFILE: "too_many_files",
    errno.EADDRNOTAVAIL: "no_ports",
    errno.EAGAIN: "no_ports",
    errno.ENOBUFS: "no_memory",
    errno.ENOMEM: "no_memory",
    errno.ECONNREFUSED: "refused",
    errno.ENETUNREACH: "unroutable",
    errno.EHOSTUNREACH: "unroutable",
    errno.ENETDOWN: "unroutable",
    errno.EHOSTDOWN: "unroutable",
    errno.ETIMEDOUT: "connect_timeout",
}
"""C{connect(2)} and C{socket(2)}: C{EAGAIN} stands for an empty range of local ports."""


def cause_of_number(number: int | None) -> Cause:
    """What an C{errno} of opening a connection means."""
    return _BY_NUMBER.get(number or 0, "unreachable")


def cause_of(error: BaseException | None) -> Cause | None:
    """Why upstream gave no answer, if that is what C{error} tells of."""
    return error.cause if isinstance(error, (UpstreamError, OutOfResources)) else None


def described(error: ProxyError, api: str) -> str:
    """
    The C{description} of an error for a client: which provider it was, and what kind of failure.

    @param api: the name of the API; C{""} where the error belongs to none.
    """
    cause = cause_of(error)
    if cause is None:
        return error.description
    detail = f": {error.description}" if error.description else ""
    return f"{api or 'upstream'} {PHRASES[cause]}{detail}"
