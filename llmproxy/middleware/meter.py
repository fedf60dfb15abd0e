"""A meter of what answers say was used, read from a copy of their bytes as they flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..bodies import BytesBody, Tap
from ..core.fields import LOWER, Names, values
from ..core.inspection.contenttype import content_codings
from ..errors import ProxyError
from ..providers.counting import Counting, is_background, response_id_in, uses_something
from ..providers.documents import found_in, usage_of
from ..providers.messagereader import MessageReader
from ..providers.plainchat import usage_of_chat
from ..providers.readers import ASKED, STREAMS, reader_for
from ..providers.usagereader import EVENT_STREAM, media_type_of
from ..usage import UNKNOWN
from .formmodel import watch_form
from .jsonmodel import watch_json
from .modelpeek import model_in

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Fields, Record
    from ..providers.readers import Asked, Reader
    from ..usage import Usage


_TYPE_LENGTH, _CODING_LENGTH = len(b"content-type"), len(b"content-encoding")
_MEDIA_TYPES = Names(media_type_of)

Question = tuple[str, bytes, bytes]
"""What an answer answers: API, method and target."""

Answered = tuple[str, bytes, bytes, int]
"""The same, and its status."""


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
    @param is_near: it hears answers where they come from, see L{ApiRequest.heard}; else where it stands.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        failed: Callable[[str, str], object],
        counting: Counting | None = None,
        *,
        is_near: bool = False,
    ) -> None:
        self._is_near = is_near
        self.seconds = seconds
        self._failed = failed
        self._counting = counting or Counting()

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if request.route.api.settings.meter is None:
            return inner(request)
        target, body = request.target, request.body
        asked = ASKED[target]
        if asked.forms:
            watch_form(request)
        if type(body) is not BytesBody:
            watch_json(request)
        record = request.record
        try:
            record.model = request.model or asked.model or record.model or model_in(body)
        except Exception as error:
            self.failed(error)
        # Further in the target and the body may be others.
        question = (request.route.api.name, request.method, target)
        heard = partial(self._heard, record, question, asked, self.seconds())
        if self._is_near:
            request.heard = heard
            return inner(request)
        return inner(request).addCallback(_passed, heard)

    def near(self) -> Meter:
        """The same, where no other layer changes an answer before it is heard."""
        return Meter(self.seconds, self._failed, self._counting, is_near=True)

    def _heard(self, record: Record, question: Question, asked: Asked, begun: float, response: ApiResponse) -> None:
        """See L{ApiRequest.heard}."""
        status, body = response.status, response.body
        if body is None or record.method == "HEAD" or 300 <= status < 400:
            return
        # Until it is known better: what goes wrong in reading leaves it so.
        record.usage = UNKNOWN if status < 400 else None
        try:
            if response.upgraded is not None:
                self._messages(response, body, record)
            elif not (
                response.is_json
                and status < 300
                and asked.is_plain
                and type(body) is BytesBody
                and question[1] == b"POST"
                and _short(body.content, record)
            ):
                self._answer(response, body, record, (*question, status), begun)
        except Exception as error:
            self.failed(error)

    def _answer(
        self, response: ApiResponse, body: IBodyProducer, record: Record, question: Answered, begun: float
    ) -> None:
        media_type, codings = _content_of(response.fields)
        _, method, target, status = question
        record.streamed = media_type in STREAMS
        reader = reader_for(media_type, codings, pictures=ASKED[target].pictures)
        if reader is None:
            record.usage = UNKNOWN if status < 400 and uses_something(method, target) else None
        else:
            timed = begun if media_type == EVENT_STREAM else None
            self._read(response, body, _Reading(self, record, reader, question, timed))

    def _messages(self, response: ApiResponse, body: IBodyProducer, record: Record) -> None:
        """What upstream says over a WebSocket."""
        reader = MessageReader(b",".join(values(response.fields, b"sec-websocket-extensions")))
        self._read(response, body, _Reading(self, record, reader, None, None))

    def _read(self, response: ApiResponse, body: IBodyProducer, reading: _Reading) -> None:
        if isinstance(body, BytesBody):
            reading.whole(body.content)
        else:
            response.body = Tap(body, reading.seen, reading.ended)

    def counted(self, question: Answered, usage: Usage, found: Mapping[str, Any], record: Record) -> Usage | None:
        """
        What of an answer counts.

        @param usage: what it says.
        @param found: see L{llmproxy.providers.usagereader.UsageReader.found}.
        """
        api, method, target, status = question
        if status >= 400:
            # One that says nothing has cost nothing.
            return usage if usage.is_known else None
        return self._counting.counted(api, method, target, usage, found, record)

    def failed(self, error: Exception) -> None:
        if isinstance(error, ProxyError):
            self._failed("coding", "the content coding of an answer cannot be undone here: what it used is unknown")
        else:
            # What an exception says may be out of the answer.
            self._failed("fault", f"{type(error).__name__} while an answer was read: what it used is unknown")


class _Reading:
    """
    One answer that is read.

    @param question: what it answers; C{None} for what upstream says over a WebSocket.
    @param begun: when it was asked for, where the first content is of interest.
    """

    __slots__ = ("_begun", "_feed", "_first_at", "_meter", "_question", "_reader", "_record")

    def __init__(
        self,
        meter: Meter,
        record: Record,
        reader: Reader | MessageReader,
        question: Answered | None,
        begun: float | None,
    ) -> None:
        self._meter = meter
        self._record = record
        self._reader: Any = reader
        self._feed: Callable[[bytes], object] | None = reader.direct()
        self._question = question
        self._begun = begun
        self._first_at: float | None = None

    def whole(self, content: bytes) -> None:
        """All of a body that is at hand."""
        if self._begun is not None:
            self.seen(content)
        else:
            try:
                self._reader.whole(content)
            except Exception as error:
                self._give_up(error)
        self.ended(None)

    def seen(self, data: bytes) -> None:
        if self._begun is not None:
            self._time(data)
        feed = self._feed
        if feed is not None:
            try:
                feed(data)
            except Exception as error:
                self._give_up(error)

    def ended(self, reason: Failure | None) -> None:
        reader, self._reader, self._feed = self._reader, None, None
        if self._first_at is not None:
            self._record.streamed_for = self._meter.seconds() - self._first_at
        if reader is None:
            return
        try:
            usage, question, record = reader.usage(), self._question, self._record
            record.usage = usage if question is None else self._meter.counted(question, usage, reader.found, record)
            record.truncated = reason is not None and not reader.is_whole()
            if record.calls is not None and question is not None:
                record.response_id = response_id_in(reader.found)
        except Exception as error:
            self._give_up(error)

    def _time(self, data: bytes) -> None:
        if data and self._begun is not None:
            now = self._meter.seconds()
            self._record.first_token = now - self._begun
            self._begun, self._first_at = None, now

    def _give_up(self, error: Exception) -> None:
        self._reader = self._feed = None
        self._meter.failed(error)


def _passed(response: ApiResponse, heard: Callable[[ApiResponse], object]) -> ApiResponse:
    heard(response)
    return response


def _short(content: bytes, record: Record) -> bool:
    """Read what most answers are: a document that is here, of an exchange that nobody asks about again."""
    found = found_in(content)
    if found is None or ("background" in found and is_background(found)):
        return False
    # Of most answers the former says all, for half of the price.
    usage = usage_of_chat(found) or usage_of(found)
    if usage.output_tokens is None and not usage.is_known:
        return False
    record.usage = usage
    if record.calls is not None:
        record.response_id = response_id_in(found)
    return True


def _content_of(fields: Fields) -> tuple[bytes, Sequence[bytes]]:
    """The media type and the codings that a header section names."""
    media_type, coded = b"", False
    for name, value in fields:
        length = len(name)
        if length == _TYPE_LENGTH:
            if not media_type and LOWER[name] == b"content-type":
                media_type = _MEDIA_TYPES[value]
        elif length == _CODING_LENGTH and LOWER[name] == b"content-encoding":
            coded = True
    return media_type, content_codings(fields) if coded else ()
