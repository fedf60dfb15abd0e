"""What Twisted, OpenSSL and treq raise, in the proxy's own words."""

from __future__ import annotations

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
from twisted.web._newclient import ParseError, RequestTransmissionFailed, ResponseFailed, ResponseNeverReceived
from twisted.web.client import PartialDownloadError

from ..errors import (
    ClientLeft,
    InternalError,
    ProxyError,
    UpstreamProtocolError,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)

if TYPE_CHECKING:
    from twisted.python.failure import Failure

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
    if isinstance(error, (SSL.Error, VerificationError)):
        return UpstreamTlsError("upstream's certificate or TLS handshake was not accepted")
    if isinstance(error, ConnectingCancelledError):
        # An endpoint says so when its Deferred was cancelled: somebody left, upstream did nothing wrong.
        return CancelledError()
    if isinstance(error, TimeoutError):
        return UpstreamTimeout("connect")
    if isinstance(error, (DNSLookupError, ConnectError)):
        return UpstreamUnreachable()
    if isinstance(error, (ParseError, PartialDownloadError, ValueError)):
        return UpstreamProtocolError()
    if isinstance(error, (ConnectionClosed, OSError)):
        return UpstreamReset()
    return InternalError()
