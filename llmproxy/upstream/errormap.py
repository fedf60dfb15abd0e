"""The errors of Twisted, OpenSSL and treq as those of the proxy."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    TimeoutError,
)
from twisted.web.client import (
    PartialDownloadError,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)

from ..core.causes import LOCAL, cause_of_number
from ..errors import (
    ClientLeft,
    InternalError,
    OutOfResources,
    ProxyError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)
from ..net.nameendpoint import NameServerTimeout
from ..net.twistedinternals import parse_errors

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..message import Cause

_MALFORMED = (*parse_errors(), PartialDownloadError, ValueError)
_WRAPPERS = (ResponseFailed, ResponseNeverReceived, RequestTransmissionFailed)


def translate(reason: Failure) -> BaseException:
    """
    The L{ProxyError} that stands for C{reason}; what is none of upstream's doing passes as it is.

    The words of a foreign exception go nowhere: they may hold addresses.
    """
    error = reason.value
    if isinstance(error, (ProxyError, CancelledError, ClientLeft)):
        return error
    if isinstance(error, _WRAPPERS):
        inner = [translate(one) for one in error.reasons]
        # Several reasons tell of one event: the most particular says what it was.
        return next((one for one in inner if not isinstance(one, UpstreamReset)), UpstreamReset())
    if isinstance(error, VerificationError):
        return UpstreamTlsError(cause="certificate_name")
    if isinstance(error, SSL.Error):
        return UpstreamTlsError(cause=_cause_in_tls(error))
    if isinstance(error, ConnectingCancelledError):
        # An endpoint says so when its Deferred was cancelled: somebody left, upstream did nothing wrong.
        return CancelledError()
    if isinstance(error, NameServerTimeout):
        return UpstreamTimeout("connect", cause="name_server")
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("connect")
    if isinstance(error, DNSLookupError):
        return UpstreamUnreachable(cause=_cause_in_lookup(error))
    if isinstance(error, ConnectError):
        return _not_connected(error.osError)
    if isinstance(error, _MALFORMED):
        return UpstreamProtocolError()
    if isinstance(error, OSError) and cause_of_number(error.errno) != "unreachable":
        # Of the resolver, which opens sockets too: nothing was sent yet.
        return _not_connected(error.errno)
    if isinstance(error, (ConnectionClosed, OSError)):
        return UpstreamReset()
    return InternalError()


def _not_connected(number: int | None) -> ProxyError:
    cause = cause_of_number(number)
    if cause in LOCAL:
        return OutOfResources(cause)
    return UpstreamTimeout("connect") if cause == "connect_timeout" else UpstreamUnreachable(cause=cause)


def _cause_in_lookup(error: DNSLookupError) -> Cause:
    """A name server that fails (C{SERVFAIL}, no answer in time) does not say that there is no such name."""
    number = error.args[0] if error.args else None
    return "name_server" if number in (socket.EAI_AGAIN, socket.EAI_FAIL) else "name_not_found"


def _cause_in_tls(error: SSL.Error) -> Cause:
    """
    Of what OpenSSL says in its queue of errors: names of alerts are those of RFC 8446 section 6.2, read on
    30 November 2026.
    """
    said = str(error.args)
    if "certificate verify failed" in said:
        return "certificate"
    return "client_certificate" if "alert" in said and "certificate" in said else "tls"
