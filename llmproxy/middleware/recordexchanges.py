"""Exactly one record of every exchange, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from ..bodies import BytesBody, Seen, Tap
from ..composition import NO_KEYWORDS
from ..core.caching.dates import date_field
from ..core.causes import cause_of
from ..core.fields import Names
from ..core.forwarding import hop_of
from ..core.redirects import led_back
from ..errors import (
    BodyStopped,
    ClientLeft,
    InternalError,
    ProjectDeactivated,
    ProxyError,
    RequestBodyTimeout,
    TokenRevoked,
    UpstreamError,
    UpstreamTimeout,
)
from ..providers.registry import REFERRING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer, IReactorTime
    from twisted.web.iweb import IBodyProducer

    from ..core.forwarded import TrustedProxies
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Ending, Field, Fields, Record

_ADDED = frozenset({b"x-request-id", b"request-id", b"date"})
_NOTED = Names(lambda name: name.lower() if name.lower() in _ADDED | REFERRING else b"")
"""The name in lower case of a field that every answer has, or that may lead to upstream; C{b""} for any other."""

CLIENT_LEFT = 499
"""The status, nginx's, of a client that left before there was an answer."""


class RecordExchanges:
    """
    Outermost: it sees everything that ends, and gives every answer what all of them have: C{Date}, the ids, and
    references that lead back here.

    @param publish: takes the finished record.
    @param trusted: the proxies in front that are believed.
    @param seal: called once with a record, before C{publish}, when nothing of it changes any more. It is called before
        the client can have the last byte of its answer: what the client believes to have ended is written down.
    @ivar in_flight: exchanges that are running.
    """

    def __init__(
        self,
        clock: IReactorTime,
        publish: Callable[[Record], None],
        trusted: TrustedProxies | None = None,
        seal: Callable[[Record], object] | None = None,
    ) -> None:
        self._seconds = clock.seconds
        self.trusted = trusted
        self._publish = publish
        self.seal = seal
        self._running: set[_Exchange] = set()
        self._idle: list[Deferred[None]] = []

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def idle(self) -> Deferred[None]:
        """Fires once nothing is running."""
        if not self._running:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._idle.append(waiting)
        return waiting

    def cut_all(self, ending: Ending) -> None:
        """End whatever is running, and say so in its record."""
        for exchange in list(self._running):
            exchange.cut(ending)

    def running(self) -> list[tuple[Record, float]]:
        """What is running: its record as it is until now, and when it began."""
        return [(each.record, each.started) for each in self._running]

    def cut(self, request_id: str, ending: Ending) -> int:
        """End what is running of a request id, and say so in its record; how many there were."""
        found = [each for each in self._running if each.record.request_id == request_id]
        for exchange in found:
            exchange.cut(ending)
        return len(found)

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        exchange = _Exchange(self, request.record, self._seconds())
        self._running.add(exchange)
        body = request.body
        if body is not None:
            if isinstance(body, BytesBody):
                request.record.bytes_in = len(body.content)
            else:
                request.body = Tap(body, exchange.received)
        responding = inner(request)
        exchange.pending = responding
        return responding.addCallbacks(exchange.head, exchange.failed, (request,), NO_KEYWORDS)

    def _ended(self, exchange: _Exchange) -> None:
        self._running.discard(exchange)
        self._publish(exchange.record)
        if not self._running and self._idle:
            waiting, self._idle = self._idle, []
            for one in waiting:
                one.callback(None)


class _Exchange:
    __slots__ = ("_account", "_cut", "body", "pending", "record", "sealed", "started")

    def __init__(self, account: RecordExchanges, record: Record, started: float) -> None:
        self._account = account
        self.sealed = False
        self._cut: Ending | None = None
        self.record = record
        self.started = started
        self.pending: Deferred[ApiResponse] | Deferred[None] | None = None
        self.body: _Counted | BytesBody | None = None

    def received(self, data: bytes) -> None:
        self.record.bytes_in += len(data)

    def cut(self, ending: Ending) -> None:
        self._cut = ending
        body = self.body
        if body is not None and not (isinstance(body, _Counted) and body.started):
            # Between head and body nothing is pending, and the owner of the response may never start it.
            body.stopProducing()
        elif self.pending is not None:
            self.pending.cancel()

    def head(self, response: ApiResponse, request: ApiRequest) -> ApiResponse:
        record = self.record
        record.status = response.status
        record.first_byte = took = self._account._seconds() - self.started
        noted = _NOTED
        # A new list: that of a cached response belongs to the cache.
        response.fields = fields = [*response.fields]
        names = [noted[name] for name, _ in fields]
        if b"x-request-id" not in names or b"request-id" not in names:
            known_as = record.request_id.encode("latin-1")
            # The one that OpenAI's SDK reads, and the one that Anthropic's does.
            if b"x-request-id" not in names:
                fields += ((b"X-Request-ID", known_as),)
            if b"request-id" not in names:
                fields += ((b"request-id", known_as),)
        if b"date" not in names:
            fields.append(date_field((record.started_at + took) // 1))
        if not REFERRING.isdisjoint(names):
            response.fields = _led_back(fields, request, self._account.trusted)
        if response.body is None or record.method == "HEAD":
            # An answer to HEAD ends with its head; its writer stops the body.
            self.end(None)
        elif isinstance(response.body, BytesBody):
            self.body = response.body
            self.body.watch(self.taken)
        else:
            if response.upgraded is not None:
                response.upgraded = Seen(response.upgraded, self.received)
            response.body = self.body = _Counted(self, response.body)
        return response

    def taken(self, reason: Failure | None) -> None:
        """A body that was there whole is sent, or is not."""
        if reason is None and isinstance(self.body, BytesBody):
            self.record.bytes_out = len(self.body.content)
        self.end(reason)

    def failed(self, reason: Failure) -> Failure:
        self.end(reason)
        return reason

    def end(self, reason: Failure | None) -> None:
        if not self.sealed:
            self.seal(reason)
        self.pending = self.body = None
        self._account._ended(self)

    def seal(self, reason: Failure | None) -> None:
        """It has ended so: what happens from now on is not in its record."""
        record, account = self.record, self._account
        if reason is not None:
            record.ended = self._cut or ending_of(reason.value)
            record.cause = record.cause or cause_of(reason.value) or ""
            if record.status == 0 and record.ended == "client_left":
                record.status = CLIENT_LEFT
        elif not record.error_code:
            record.ended = "complete"
        record.duration = account._seconds() - self.started
        held = record.held
        if held is not None:
            # Before it is sealed: what it has cost is found out by that.
            record.held = None
            held.end(record)
        self.sealed = record.sealed = True
        if account.seal is not None:
            account.seal(record)


def _led_back(fields: Fields, request: ApiRequest, trusted: TrustedProxies | None) -> list[Field]:
    """References to upstream as references to where this client came; those of a cached response too."""
    route = request.route_if_found
    if route is None or not route.api.rewrites_locations:
        return list(fields)
    hop = hop_of(request, trusted)
    here = f"{hop.client_scheme}://{hop.client_host}".encode("latin-1") if hop.client_host else b""
    return led_back(fields, REFERRING, route.api.upstreams, here, request.mount + route.prefix)


def _nothing(data: bytes) -> None:
    """L{_Counted} sees the chunks itself."""


class _Counted(Tap):
    """
    The response body, which the exchange can cut.

    A client that knows the length has all of it with the last piece. This is kept until those further in know that it
    was the last, in the same turn: what they find out then is in the record, which is written before the piece is.
    """

    def __init__(self, exchange: _Exchange, body: IBodyProducer) -> None:
        super().__init__(body, _nothing, exchange.end)
        self._exchange = exchange
        self._record = exchange.record
        self._last: bytes | None = None
        self.started = False

    def write(self, data: bytes) -> None:
        record = self._record
        record.bytes_out += len(data)
        if record.bytes_out == self.length:
            self._last = data
        else:
            self._consumer.write(data)  # type: ignore[union-attr]

    def _complete(self, result: None) -> None:
        last, self._last = self._last, None
        if last is not None:
            self._exchange.seal(None)
            self._consumer.write(last)  # type: ignore[union-attr]
        super()._complete(result)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self.started = True
        producing = super().startProducing(consumer)
        if not producing.called:
            self._exchange.pending = producing
        return producing


def ending_of(error: BaseException | None) -> Ending:
    """How an exchange ended that was cut short by C{error}."""
    if isinstance(error, (TokenRevoked, ProjectDeactivated)):
        return "revoked"
    if isinstance(error, (UpstreamTimeout, RequestBodyTimeout)):
        return "timeout"
    if isinstance(error, UpstreamError):
        return "upstream_failed"
    if isinstance(error, ProxyError):
        return "failed" if isinstance(error, InternalError) else "refused"
    # The reader is the one who cancels and stops: the relay, for a client that left.
    return "client_left" if isinstance(error, (ClientLeft, BodyStopped, CancelledError)) else "failed"
