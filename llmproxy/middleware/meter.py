"""A meter of what answers say was used, read from a copy of their bytes as they flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..bodies import BytesBody, Tap
from ..core.fields import first, values
from ..core.inspection.contenttype import content_codings
from ..errors import ProxyError
from ..providers.counting import Counting, uses_something
from ..providers.messagereader import MessageReader
from ..providers.models import model_in_target
from ..providers.readers import reader_for
from ..providers.usagereader import EVENT_STREAM, media_type_of
from ..usage import UNKNOWN
from .formmodel import watch_form
from .modelpeek import model_in

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Record
    from ..providers.readers import Reader
    from ..usage import Usage


def meter_for(
    apis: Iterable[Api],
    seconds: Callable[[], float],
    failed: Callable[[str, str], object],
    counting: Counting | None = None,
) -> Meter | None:
    """The meter of those of C{apis} that have one; C{None} if there is none."""
    return Meter(seconds, failed, counting) if any(api.settings.meter is not None for api in apis) else None


class Meter:
    """
    Reads what an answer says was used, and notes it in the record. It delays and changes nothing; what goes wrong in it
    is counted and hurts no answer. An API without C{settings.meter} passes untouched.

    @param seconds: of any steady clock.
    @param failed: takes a kind of few and the reason, where an answer could not be read.
    @param counting: remembers answers that can be fetched again; one of its own if it is C{None}.
    """

    def __init__(
        self, seconds: Callable[[], float], failed: Callable[[str, str], object], counting: Counting | None = None
    ) -> None:
        self.seconds = seconds
        self._failed = failed
        self._counting = counting or Counting()

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if request.route.api.settings.meter is None:
            return inner(request)
        watch_form(request)
        # Further in the target and the body may be others.
        target, body = request.target, request.body
        return inner(request).addCallback(self._head, request, target, body, self.seconds())

    def _head(
        self, response: ApiResponse, request: ApiRequest, target: bytes, body: object, begun: float
    ) -> ApiResponse:
        record = request.record
        if response.upgraded is not None and response.body is not None:
            return self._messages(response, response.body, record, target)
        if response.body is None or not 200 <= response.status < 300 or record.method == "HEAD":
            return response
        media_type = media_type_of(first(response.fields, b"content-type") or b"")
        record.usage = UNKNOWN
        try:
            record.model = request.model or model_in_target(target) or record.model or model_in(body)
            reader = reader_for(media_type, content_codings(response.fields), target)
        except Exception as error:
            self.failed(error)
            return response
        if reader is None:
            record.usage = UNKNOWN if uses_something(request.method, target) else None
            return response
        count = partial(self._counted, request.route.api.name, request.method, target, reader)
        reading = _Reading(self, record, reader, count, begun if media_type == EVENT_STREAM else None)
        if isinstance(response.body, BytesBody):
            reading.whole(response.body.content)
        else:
            response.body = Tap(response.body, reading.seen, reading.ended)
        return response

    def _messages(self, response: ApiResponse, body: IBodyProducer, record: Record, target: bytes) -> ApiResponse:
        """What upstream says over a WebSocket."""
        record.usage = UNKNOWN
        try:
            record.model = model_in_target(target)
            reader = MessageReader(b",".join(values(response.fields, b"sec-websocket-extensions")))
        except Exception as error:
            self.failed(error)
            return response
        reading = _Reading(self, record, reader, reader.usage, None)
        response.body = Tap(body, reading.seen, reading.ended)
        return response

    def _counted(self, api: str, method: bytes, target: bytes, reader: Reader) -> Usage | None:
        return self._counting.counted(api, method, target, reader.usage(), reader.found)

    def failed(self, error: Exception) -> None:
        if isinstance(error, ProxyError):
            self._failed("coding", "the content coding of an answer cannot be undone here: what it used is unknown")
        else:
            # What an exception says may be out of the answer.
            self._failed("fault", f"{type(error).__name__} while an answer was read: what it used is unknown")


class _Reading:
    """
    One answer that is read.

    @param count: makes what it counts for, once all that is to come has been read.
    @param begun: when it was asked for, where the first content is of interest.
    """

    __slots__ = ("_begun", "_count", "_meter", "_reader", "_record")

    def __init__(
        self,
        meter: Meter,
        record: Record,
        reader: Reader | MessageReader,
        count: Callable[[], Usage | None],
        begun: float | None,
    ) -> None:
        self._meter = meter
        self._record = record
        self._reader: Any = reader
        self._count = count
        self._begun = begun

    def whole(self, content: bytes) -> None:
        """All of a body that is at hand."""
        if self._reader is not None and self._begun is None:
            try:
                self._reader.whole(content)
            except Exception as error:
                self._give_up(error)
        else:
            self.seen(content)
        self.ended(None)

    def seen(self, data: bytes) -> None:
        if self._begun is not None and data:
            self._record.first_token = self._meter.seconds() - self._begun
            self._begun = None
        if self._reader is None:
            return
        try:
            self._reader.feed(data)
        except Exception as error:
            self._give_up(error)

    def ended(self, reason: Failure | None) -> None:
        reader = self._reader
        if reader is not None:
            try:
                self._record.usage = self._count()
                self._record.truncated = reason is not None and not reader.is_whole()
            except Exception as error:
                self._give_up(error)
        self._reader = None

    def _give_up(self, error: Exception) -> None:
        self._reader = None
        self._meter.failed(error)
