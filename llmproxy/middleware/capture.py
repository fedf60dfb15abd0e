"""
Capture of what is said in exchanges, from a copy of its bytes, where an API has it so: nothing waits for it.

It is imported where something is captured, and nowhere else.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..bodies import BytesBody, Tap
from ..composition import NO_KEYWORDS
from ..core.capture.body import Body, Half, binary, body_of, plain_json
from ..core.capture.kinds import is_kept, kind_of
from ..core.events import Content
from ..core.fields import LOWER, MEDIA_TYPES
from ..core.gathering import Gathered
from ..core.inspection.contenttype import content_codings
from ..core.notable import CAPTURE, notable_of
from ..core.redaction.redactor import Redactor
from ..errors import ProxyError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IConsumer
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..apisettings import CaptureSettings
    from ..core.masking import Masking
    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Fields

HELD = 64 * 1024 * 1024
"""Bytes of all copies of a process, until they are in events; an exchange beyond has no content in its event."""

_TYPE_LENGTH, _CODING_LENGTH = len(b"content-type"), len(b"content-encoding")

_OFF = frozenset({b"off", b"false", b"no", b"0"})

WEBSOCKET = "websocket (messages are not captured)"
OVERLOAD = "overload"
_BROKEN = "undecodable (broken content coding)"

_Small = tuple[bytes, bytes, "tuple[bytes, ...]"]
"""A body, its media type and its codings."""

_SMALL = 4096
"""Bytes of a body that is held before anybody looks what it is."""

_TIMES = 8
"""What small JSON takes in memory, read, for each of its bytes; nobody counts them one by one."""


class Capture:
    """
    Stands inside of who knows the caller, outside of what answers by itself: stored answers are captured too.

    What is kept hangs on the record, as L{llmproxy.record.Captured}, and becomes content on the thread that makes the
    event. When nobody holds the record any more, its memory is given back.

    @param apis: those without C{settings.capture} pass untouched.
    @param masking: takes secrets out of texts.
    @param seconds: of any steady clock.
    @param draw: a number from 0 to 1, which decides whether an exchange is sampled.
    """

    def __init__(
        self,
        apis: Iterable[Api],
        masking: Masking,
        seconds: Callable[[], float],
        held: Held,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._plans = {
            api.name: CapturePlan(api.settings.capture, Redactor(api.settings.capture.redact, masking, seconds), held)
            for api in apis
            if api.settings.capture is not None
        }
        self._held = held
        self._draw = draw

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        plan = self._plans.get(request.route.api.name)
        if plan is None:
            return inner(request)
        held = self._held
        if plan.opt_out and opts_out(request.fields):
            held.opted_out += 1
            return inner(request)
        if plan.sample < 1.0 and self._draw() >= plan.sample:
            return inner(request)
        held.captured += 1
        request.record.captured = captured = CapturedExchange(plan, request)
        return inner(request).addCallbacks(captured.head, None, (), NO_KEYWORDS)


def opts_out(fields: Fields) -> bool:
    """Whether the client wants its exchange not to be captured."""
    said = notable_of(fields).attributing
    return said is not None and any(name == CAPTURE and value.strip().lower() in _OFF for name, value in said)


class Held:
    """
    What is held of all exchanges of a process, and what came of them.

    @ivar most: bytes.
    @ivar captured: exchanges of which something was kept.
    @ivar opted_out: those whose clients did not want it.
    @ivar overload: bodies that were not kept for want of memory.
    @ivar unredacted: bodies that were left out as what is to be taken out of them could not be.
    @ivar returned: bytes that are held no longer: filled by any thread, emptied by the reactor's.
    """

    __slots__ = ("_size", "captured", "most", "opted_out", "overload", "returned", "unredacted")

    def __init__(self, most: int = HELD) -> None:
        self.most = most
        self._size = 0
        self.captured = self.opted_out = self.overload = self.unredacted = 0
        self.returned: deque[int] = deque()

    @property
    def size(self) -> int:
        """Bytes that are held now."""
        returned = self.returned
        while returned:
            self._size -= returned.popleft()
        return self._size

    def take(self, size: int) -> bool:
        """Hold so many more; C{False} if there is no room for them."""
        returned = self.returned
        while returned:
            self._size -= returned.popleft()
        if self._size + size > self.most:
            self.overload += 1
            return False
        self._size += size
        return True


class CapturePlan:
    """What one API has captured."""

    __slots__ = ("held", "names", "opt_out", "redactor", "request", "response", "sample")

    def __init__(self, settings: CaptureSettings, redactor: Redactor, held: Held) -> None:
        self.request, self.response = settings.request, settings.response
        self.sample, self.opt_out = settings.sample, settings.opt_out
        self.redactor = redactor
        self.held = held
        self.names = frozenset(name.encode("latin-1") for name in settings.headers)


class CapturedExchange:
    """
    Implements L{llmproxy.record.Captured}. A body that is here already and small is held as it is, whatever it is.
    """

    __slots__ = ("_plan", "_request", "_request_fields", "_response", "_response_fields", "size", "weight")

    def __init__(self, plan: CapturePlan, request: ApiRequest) -> None:
        self.size = self.weight = 0
        self._plan = plan
        self._request_fields = self._chosen(request.fields) if plan.names else ()
        self._response_fields: Fields = ()
        self._response: _Copy | _Small | str | None = None
        body = request.body
        if body is None:
            self._request: _Copy | _Small | str | None = None
        elif type(body) is BytesBody:
            self._request = self._whole(body.content, plan.request, request.fields)
        else:
            self._request = copy = _Copy(self, plan.request, request.fields)
            if not copy.omitted:
                request.body = _Copied(body, copy)

    def __del__(self) -> None:
        if self.size:
            self._plan.held.returned.append(self.size)

    def _chosen(self, fields: Fields) -> Fields:
        chosen = [(LOWER[name], value) for name, value in fields if LOWER[name] in self._plan.names]
        size = sum(len(value) for _, value in chosen)
        return chosen if self.take(size) else ()

    def _whole(self, content: bytes, most: int, fields: Fields) -> _Copy | _Small | str:
        size = len(content)
        if size > _SMALL or size > most:
            copy = _Copy(self, most, fields)
            copy.seen(content)
            copy.ended(None)
            return copy
        try:
            media_type, codings = _type_of(fields)
        except ProxyError:
            return _BROKEN
        return (content, media_type, codings) if self.take(size) else OVERLOAD

    def take(self, size: int) -> bool:
        """Hold so many bytes more."""
        if not self._plan.held.take(size):
            return False
        self.size += size
        return True

    def give(self, size: int) -> None:
        """Hold so many bytes less."""
        self.size -= size
        self._plan.held.returned.append(size)

    def head(self, response: ApiResponse) -> ApiResponse:
        """What upstream, or the cache, answers."""
        body, plan = response.body, self._plan
        if plan.names:
            self._response_fields = self._chosen(response.fields)
        if response.upgraded is not None:
            self._response = WEBSOCKET
        elif type(body) is BytesBody:
            self._response = self._whole(body.content, plan.response, response.fields)
        elif body is not None:
            self._response = copy = _Copy(self, plan.response, response.fields)
            response.body = Tap(body, copy.seen, copy.ended)
        return response

    def content(self) -> Content:
        plan = self._plan
        request, response = self._body(self._request, plan.request), self._body(self._response, plan.response)
        names = plan.names
        if not (names or isinstance(self._request, _Copy) or isinstance(self._response, _Copy)):
            self.weight = _TIMES * (self.size + 1)
        if not (names or request.omitted or response.omitted or request.is_truncated or response.is_truncated):
            return Content(request_body=request.value, response_body=response.value, merged=response.is_merged)
        return Content(
            request_headers=_shown(self._request_fields, plan),
            response_headers=_shown(self._response_fields, plan),
            request_body=request.value,
            response_body=response.value,
            request_truncated=request.is_truncated,
            response_truncated=response.is_truncated,
            request_omitted=request.omitted,
            response_omitted=response.omitted,
            merged=response.is_merged,
        )

    def _body(self, kept: _Copy | _Small | str | None, most: int) -> Body:
        if kept is None:
            return _NOTHING
        if isinstance(kept, tuple):
            content, media_type, codings = kept
            if media_type == b"application/json" and not codings:
                value = plain_json(content, self._plan.redactor)
                if value is not None:
                    return Body(value)
            half = Half(content, media_type, codings, True, len(content), most)
        elif isinstance(kept, str):
            return Body(omitted=kept)
        else:
            half = kept.half()
        body = body_of(half, self._plan.redactor)
        if body.omitted.startswith(("unredactable", "redaction", "too_deep")):
            self._plan.held.unredacted += 1
        return body


_NOTHING = Body()


class _Copy:
    """One body, from its beginning, as far as there is room for it."""

    __slots__ = ("_captured", "_codings", "_held", "_is_whole", "_media_type", "_most", "_size", "omitted")

    def __init__(self, captured: CapturedExchange, most: int, fields: Fields) -> None:
        self._captured: CapturedExchange | None = captured
        self._most = most
        self._size = 0
        self._is_whole = False
        self._held: Gathered | None = None
        self.omitted = "" if most else "off"
        try:
            self._media_type, self._codings = _type_of(fields)
        except ProxyError:
            self._media_type, self._codings = b"", ()
            self.omitted = _BROKEN
        if not self.omitted and is_kept(kind_of(self._media_type)):
            self._held = Gathered()

    def seen(self, data: bytes) -> None:
        """What comes next."""
        held, self._size = self._held, self._size + len(data)
        if held is None:
            return
        room = self._most - held.size
        if room > 0 and data:
            piece = data if len(data) <= room else data[:room]
            captured = self._captured
            if captured is not None and captured.take(len(piece)):
                held.add(piece)
            else:
                self._give_up(held)

    def begin(self) -> None:
        """What came before comes again."""
        held = self._held
        if held is not None and self._captured is not None:
            self._captured.give(held.size)
            held.clear()
        self._size, self._is_whole = 0, False

    def ended(self, reason: Failure | None) -> None:
        self._is_whole = reason is None
        # They know each other: without this both wait for the collector.
        self._captured = None

    def _give_up(self, held: Gathered) -> None:
        self._held = None
        self.omitted = OVERLOAD
        if self._captured is not None:
            self._captured.give(held.size)

    def half(self) -> Half:
        """All that was kept; what comes later is not."""
        held, self._held, self._captured = self._held, None, None
        content = held.joined() if held is not None else b""
        omitted = self.omitted
        if held is None and not omitted and self._size:
            omitted = binary(self._media_type, self._size)
        is_whole = self._is_whole and self._size == len(content)
        return Half(content, self._media_type, self._codings, is_whole, self._size, self._most, omitted)


class _Copied(Tap):
    """A request body that is copied on its way; it may be started again."""

    def __init__(self, body: IBodyProducer, copy: _Copy) -> None:
        super().__init__(body, copy.seen, copy.ended)
        self._copy = copy

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._copy.begin()
        return super().startProducing(consumer)


def _type_of(fields: Fields) -> tuple[bytes, tuple[bytes, ...]]:
    """
    The media type and the codings of a body.

    @raise ProxyError: the codings cannot be read.
    """
    media_type, coded = b"", False
    for name, value in fields:
        length = len(name)
        if length == _TYPE_LENGTH:
            if not media_type and LOWER[name] == b"content-type":
                media_type = MEDIA_TYPES[value]
        elif length == _CODING_LENGTH and LOWER[name] == b"content-encoding":
            coded = True
    return media_type, content_codings(fields) if coded else ()


def _shown(fields: Fields, plan: CapturePlan) -> dict[str, list[str]]:
    shown: dict[str, list[str]] = {}
    for name, value in fields:
        shown.setdefault(name.decode("latin-1"), []).append(plan.redactor.text(value.decode("utf-8", "replace")))
    return shown
