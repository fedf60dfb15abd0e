"""
Copies of calls and answers, to estimate what they used where they do not say it; as C{meter: {estimate: true}} has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from ..bodies import BytesBody, Tap
from ..core.fields import first
from ..core.gathering import Gathered
from ..core.inspection.contenttype import content_codings
from ..providers.estimation import Call, is_estimated
from ..providers.usagereader import MEDIA_TYPES, media_type_of

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IConsumer
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..core.budget import Budget, Lease
    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Record


class Estimates(Protocol):
    """
    L{llmproxy.app.estimates.Estimates} is one.

    @ivar budget: of the memory that all calls take which are, or may be, estimated.
    """

    @property
    def budget(self) -> Budget: ...

    def estimate(self, record: Record, call: Call) -> None:
        """Fill in what C{record.usage} does not say; its exchange is not over before."""


LONGEST = 8 * 1024 * 1024
"""Bytes of a call, or of an answer, that is copied: 40,000 events of a stream have less."""


def is_wanted(api: Api) -> bool:
    """Whether what an API's answers do not say is estimated."""
    meter = api.settings.meter
    return meter is not None and meter.estimate


def estimate_for(apis: Iterable[Api], estimates: Estimates | None) -> Estimate | None:
    """The middleware of those of C{apis} that want it; C{None} if there is none, or it cannot be."""
    return Estimate(estimates) if estimates is not None and any(is_wanted(api) for api in apis) else None


class Estimate:
    """Stands right outside of the meter, whose word comes first: only what it does not know is estimated."""

    def __init__(self, estimates: Estimates) -> None:
        self._estimates = estimates

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        body = request.body
        if body is None or not is_wanted(request.route.api) or request.method != b"POST":
            return inner(request)
        if not is_estimated(request.target):
            return inner(request)
        copy = _Copy(self._estimates.budget.lease())
        if isinstance(body, BytesBody):
            copy.add(body.content)
        else:
            request.body = _Copied(body, copy)
        return inner(request).addCallbacks(self._head, copy.failed, (request.record, copy))

    def _head(self, response: ApiResponse, record: Record, asked: _Copy) -> ApiResponse:
        body = response.body
        media_type = media_type_of(first(response.fields, b"content-type") or b"")
        if body is None or response.upgraded is not None or media_type not in MEDIA_TYPES or not _lacks(record):
            asked.end()
            return response
        codings = content_codings(response.fields)
        answer = _Copy(self._estimates.budget.lease())

        def ended(reason: Failure | None) -> None:
            request, content = asked.end(), answer.end()
            usage = record.usage
            if request is not None and content is not None and usage is not None and _lacks(record):
                call = Call(request, content, media_type, codings, record.model, usage.served_model)
                self._estimates.estimate(record, call)

        if isinstance(body, BytesBody):
            answer.add(body.content)
            ended(None)
        else:
            response.body = Tap(body, answer.add, ended)
        return response


def _lacks(record: Record) -> bool:
    """Whether something is not known that could be estimated; seconds and pictures could not be."""
    usage = record.usage
    if usage is None or usage.seconds is not None or usage.images is not None:
        return False
    return usage.input_tokens is None or usage.output_tokens is None


class _Copy:
    """What has come until now, as far as there is room for it."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._held: Gathered | None = Gathered()

    def add(self, data: bytes) -> None:
        held = self._held
        if held is None:
            return
        if held.size + len(data) <= LONGEST and self._lease.take(len(data)):
            held.add(data)
        else:
            self._held = None
            self._lease.end()

    def begin(self) -> None:
        """What came before comes again."""
        if self._held is not None:
            self._held.clear()
            self._lease.end()

    def end(self) -> bytes | None:
        """All of it; C{None} where there was no room. Nothing is held any more."""
        held, self._held = self._held, None
        self._lease.end()
        return None if held is None else held.joined()

    def failed(self, reason: Failure) -> Failure:
        self.end()
        return reason


class _Copied(Tap):
    """A request body that is copied on its way; it may be started again."""

    def __init__(self, body: IBodyProducer, copy: _Copy) -> None:
        super().__init__(body, copy.add)
        self._copy = copy

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._copy.begin()
        return super().startProducing(consumer)
