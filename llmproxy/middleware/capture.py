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
from ..core.budget import Budget
from ..core.capture.body import Half, binary, body_of
from ..core.capture.kinds import is_kept, kind_of
from ..core.events import Content
from ..core.fields import LOWER, MEDIA_TYPES, first
from ..core.gathering import Gathered
from ..core.inspection.contenttype import content_codings
from ..core.notable import CAPTURE
from ..core.redaction.redactor import Redactor
from ..errors import ProxyError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IConsumer
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..apisettings import CaptureSettings
    from ..core.budget import Lease
    from ..core.capture.body import Body
    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Fields

HELD = 64 * 1024 * 1024
"""Bytes of all copies of a process, until they are in events; an exchange beyond has no content in its event."""

_OFF = frozenset({b"off", b"false", b"no", b"0"})

WEBSOCKET = "websocket (messages are not captured)"


class CaptureCounts:
    """
    @ivar captured: exchanges of which something was kept.
    @ivar opted_out: those whose clients did not want it.
    @ivar overload: bodies that were not kept for want of memory.
    @ivar unredacted: bodies that were left out as what is to be taken out of them could not be.
    """

    __slots__ = ("captured", "opted_out", "overload", "unredacted")

    def __init__(self) -> None:
        self.captured = self.opted_out = self.overload = self.unredacted = 0


class Capture:
    """
    Stands inside of who knows the caller, outside of what answers by itself: stored answers are captured too.

    What is kept hangs on the record, as L{llmproxy.record.Captured}, and becomes content on the thread that makes the
    event. Whoever forgets the record gives its memory back.

    @param apis: those without C{settings.capture} pass untouched.
    @param mask: takes secrets out of a text.
    @param seconds: of any steady clock.
    @param draw: a number from 0 to 1, which decides whether an exchange is sampled.
    """

    def __init__(
        self,
        apis: Iterable[Api],
        mask: Callable[[str], str],
        seconds: Callable[[], float],
        counts: CaptureCounts,
        budget: Budget,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._plans = {
            api.name: _Plan(api.settings.capture, Redactor(api.settings.capture.redact, mask, seconds), counts)
            for api in apis
            if api.settings.capture is not None
        }
        self._counts = counts
        self._budget = budget
        self._draw = draw
        # Filled by any thread, emptied by the reactor's.
        self._returned: deque[Lease] = deque()

    def held(self) -> int:
        """Bytes that are held now."""
        self._settle()
        return self._budget.used

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        plan = self._plans.get(request.route.api.name)
        if plan is None:
            return inner(request)
        settings = plan.settings
        if settings.opt_out and (first(request.fields, CAPTURE) or b"").strip().lower() in _OFF:
            self._counts.opted_out += 1
            return inner(request)
        if settings.sample < 1.0 and self._draw() >= settings.sample:
            return inner(request)
        self._counts.captured += 1
        if self._returned:
            self._settle()
        lease = self._budget.lease(request.record.project_id)
        captured = _Captured(plan, lease, self._returned, request)
        request.record.captured = captured
        return inner(request).addCallback(captured.head)

    def _settle(self) -> None:
        returned = self._returned
        while returned:
            returned.popleft().end()


class _Plan:
    """What one API has captured."""

    __slots__ = ("counts", "names", "redactor", "settings")

    def __init__(self, settings: CaptureSettings, redactor: Redactor, counts: CaptureCounts) -> None:
        self.settings = settings
        self.redactor = redactor
        self.counts = counts
        self.names = frozenset(name.encode("latin-1") for name in settings.headers)


class _Captured:
    """Implements L{llmproxy.record.Captured}."""

    __slots__ = ("_lease", "_plan", "_request", "_request_fields", "_response", "_response_fields", "_returned")

    def __init__(self, plan: _Plan, lease: Lease, returned: deque[Lease], request: ApiRequest) -> None:
        self._plan = plan
        self._lease = lease
        self._returned = returned
        self._request_fields: Fields = _chosen(request.fields, plan.names)
        self._response_fields: Fields = ()
        self._request: _Copy | None = None
        self._response: _Copy | None = None
        body = request.body
        if body is not None:
            self._request = copy = _Copy(plan, lease, plan.settings.request, request.fields)
            if type(body) is BytesBody:
                copy.whole(body.content)
            elif not copy.omitted:
                request.body = _Copied(body, copy)

    def __del__(self) -> None:
        self._returned.append(self._lease)

    @property
    def size(self) -> int:
        return self._lease.size

    def head(self, response: ApiResponse) -> ApiResponse:
        plan, body = self._plan, response.body
        self._response_fields = _chosen(response.fields, plan.names)
        if response.upgraded is not None:
            self._response = copy = _Copy(plan, self._lease, 0, ())
            copy.omitted = WEBSOCKET
        elif body is not None:
            self._response = copy = _Copy(plan, self._lease, plan.settings.response, response.fields)
            if type(body) is BytesBody:
                copy.whole(body.content)
            else:
                response.body = Tap(body, copy.seen, copy.ended)
        return response

    def content(self) -> Content:
        redactor = self._plan.redactor
        request, response = self._body(self._request), self._body(self._response)
        return Content(
            request_headers=_shown(self._request_fields, redactor),
            response_headers=_shown(self._response_fields, redactor),
            request_body=request.value,
            response_body=response.value,
            request_truncated=request.is_truncated,
            response_truncated=response.is_truncated,
            request_omitted=request.omitted,
            response_omitted=response.omitted,
            merged=response.is_merged,
        )

    def _body(self, copy: _Copy | None) -> Body:
        body = body_of(_NOTHING if copy is None else copy.half(), self._plan.redactor)
        if body.omitted.startswith(("unredactable", "redaction", "too_deep")):
            self._plan.counts.unredacted += 1
        return body


_NOTHING = Half()


class _Copy:
    """One body, from its beginning, as far as there is room for it."""

    __slots__ = ("_codings", "_counts", "_held", "_is_whole", "_lease", "_media_type", "_most", "_size", "omitted")

    def __init__(self, plan: _Plan, lease: Lease, most: int, fields: Fields) -> None:
        self._counts = plan.counts
        self._lease = lease
        self._most = most
        self._media_type = MEDIA_TYPES[first(fields, b"content-type") or b""]
        self._codings: tuple[bytes, ...] = ()
        self._size = 0
        self._is_whole = False
        self._held: Gathered | bytes | None = None
        self.omitted = ""
        if not most:
            self.omitted = "off"
        elif is_kept(kind_of(self._media_type)):
            self._held = b""
            try:
                self._codings = tuple(content_codings(fields))
            except ProxyError:
                self.omitted = "undecodable (broken content coding)"
                self._held = None

    def whole(self, content: bytes) -> None:
        """All of it, which somebody else holds too."""
        self._size = len(content)
        self._is_whole = True
        if self._held is not None and content:
            kept = content[: self._most]
            self._held = kept if self._room(len(kept)) else None

    def seen(self, data: bytes) -> None:
        """What comes next."""
        held, self._size = self._held, self._size + len(data)
        if held is None:
            return
        if isinstance(held, bytes):
            held = self._held = Gathered()
        room = self._most - held.size
        if room > 0 and data:
            piece = data if len(data) <= room else data[:room]
            if self._room(len(piece)):
                held.add(piece)

    def begin(self) -> None:
        """What came before comes again."""
        held = self._held
        if isinstance(held, Gathered):
            self._lease.give(held.size)
            held.clear()
        self._size, self._is_whole = 0, False

    def ended(self, reason: Failure | None) -> None:
        self._is_whole = reason is None

    def _room(self, size: int) -> bool:
        if self._lease.take(size):
            return True
        held, self._held = self._held, None
        if isinstance(held, Gathered):
            self._lease.give(held.size)
        self.omitted = "overload"
        self._counts.overload += 1
        return False

    def half(self) -> Half:
        """All that was kept; what comes later is not."""
        held, self._held = self._held, None
        content = held.joined() if isinstance(held, Gathered) else held or b""
        return Half(
            content,
            self._media_type,
            self._codings,
            self._is_whole and self._size == len(content),
            self._size,
            self._most,
            self.omitted or (binary(self._media_type, self._size) if held is None and self._size else ""),
        )


class _Copied(Tap):
    """A request body that is copied on its way; it may be started again."""

    def __init__(self, body: IBodyProducer, copy: _Copy) -> None:
        super().__init__(body, copy.seen, copy.ended)
        self._copy = copy

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._copy.begin()
        return super().startProducing(consumer)


def _chosen(fields: Fields, names: frozenset[bytes]) -> Fields:
    return [(LOWER[name], value) for name, value in fields if LOWER[name] in names] if names else ()


def _shown(fields: Fields, redactor: Redactor) -> dict[str, list[str]]:
    shown: dict[str, list[str]] = {}
    for name, value in fields:
        shown.setdefault(name.decode("latin-1"), []).append(redactor.text(value.decode("utf-8", "replace")))
    return shown
