"""A record of every exchange, for those who count or log at a place of their own in a chain."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..bodies import BytesBody, Seen, Tap
from ..core.causes import cause_of
from ..errors import ProxyError
from .recordexchanges import CLIENT_LEFT, ending_of

if TYPE_CHECKING:
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Record


class ObserveExchanges:
    """
    Calls C{observe} once for each exchange, when its body has ended, with a record of its own.

    It changes nothing of the exchange, and so any number of them can stand anywhere; in the proxy itself,
    L{llmproxy.middleware.recordexchanges.RecordExchanges} makes the one record that counts. What C{observe} raises is
    logged.

    @param seconds: of any steady clock.
    """

    _log = Logger()

    def __init__(self, seconds: Callable[[], float], observe: Callable[[Record], object]) -> None:
        self.seconds = seconds
        self._observe = observe

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        exchange = _Observed(self, request)
        return maybeDeferred(inner, request).addCallbacks(exchange.head, exchange.failed)

    def publish(self, record: Record) -> None:
        """An exchange has ended."""
        try:
            self._observe(record)
        except Exception:
            self._log.failure("an exchange could not be observed: {request_id}", request_id=record.request_id)


class _Observed:
    """One exchange; what the layers write into the record meanwhile is taken over at its end."""

    def __init__(self, observer: ObserveExchanges, request: ApiRequest) -> None:
        self._observer = observer
        self._record = request.record
        self._is_head = request.method == b"HEAD"
        self._began = observer.seconds()
        self._first_byte: float | None = None
        self._status = self._bytes_in = self._bytes_out = 0
        body = request.body
        if isinstance(body, BytesBody):
            self._bytes_in = len(body.content)
        elif body is not None:
            request.body = Tap(body, self._received)

    def head(self, response: ApiResponse) -> ApiResponse:
        self._status = response.status
        self._first_byte = self._observer.seconds() - self._began
        if response.body is None or self._is_head:
            self._end(None)
            return response
        if response.upgraded is not None:
            response.upgraded = Seen(response.upgraded, self._received)
        response.body = Tap(response.body, self._sent, self._end)
        return response

    def failed(self, reason: Failure) -> Failure:
        self._end(reason)
        return reason

    def _received(self, data: bytes) -> None:
        self._bytes_in += len(data)

    def _sent(self, data: bytes) -> None:
        self._bytes_out += len(data)

    def _end(self, reason: Failure | None) -> None:
        record = copy(self._record)
        record.bytes_in, record.bytes_out = self._bytes_in, self._bytes_out
        record.first_byte, record.duration = self._first_byte, self._observer.seconds() - self._began
        record.status = self._status
        if reason is None:
            record.ended = "refused" if record.error_code else "complete"
        else:
            _note_failure(record, reason.value)
        self._observer.publish(record)


def _note_failure(record: Record, error: BaseException | None) -> None:
    record.ended = ending_of(error)
    record.cause = record.cause or cause_of(error) or ""
    if record.status:
        return
    if isinstance(error, ProxyError):
        record.status, record.error_code = error.status, error.code
    else:
        record.status = CLIENT_LEFT if record.ended == "client_left" else 500
