"""
The usage of streamed chats, asked for where the client has not, and taken out of its answer again; as
C{meter: {include_usage: inject}} has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.web.iweb import UNKNOWN_LENGTH

from ..bodies import BytesBody
from ..core.budget import Budget
from ..core.fields import first, values, without
from ..core.inspection.contenttype import content_codings
from ..core.streamusage import UsageTaken, asked_for_usage
from ..providers.usagereader import EVENT_STREAM, media_type_of
from .readahead import ReadAhead
from .rewritten import Rewritten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Field, Fields
    from ..net.timers import TimerWheel

LONGEST = 1024 * 1024
"""Bytes of a request that is looked at, in one turn."""

HELD = 64 * 1024 * 1024
"""Bytes of all requests that are read ahead at the same time."""

PATIENCE = 10.0
"""Seconds in which such a request must come whole."""

_DIGESTS = frozenset(b"content-digest repr-digest digest content-md5 x-amz-content-sha256 signature".split())
_CHANGED = _DIGESTS | {b"content-length"}
_EXPECT = frozenset({b"expect"})


def include_usage_for(
    apis: Iterable[Api], wheel: TimerWheel, failed: Callable[[str, str], object]
) -> IncludeUsage | None:
    """The middleware of those of C{apis} that want it; C{None} if there is none."""
    return IncludeUsage(wheel, failed) if any(_injects(api) for api in apis) else None


def _injects(api: Api) -> bool:
    meter = api.settings.meter
    return meter is not None and meter.include_usage == "inject"


class IncludeUsage:
    """
    Stands outside of the meter, which sees what upstream says, and inside of the cache and of all that judges a
    request: these see what the client says, and what it gets.

    @param failed: takes a kind of few and the reason, where a usage could not be asked for or taken out.
    @ivar budget: of what is read ahead.
    """

    def __init__(self, wheel: TimerWheel, failed: Callable[[str, str], object], held: int = HELD) -> None:
        self._wheel = wheel
        self._failed = failed
        self.budget = Budget(held)

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        body: Any = request.body
        if body is None or not _injects(request.route.api) or not _is_chat(request):
            return inner(request)
        if isinstance(body, BytesBody) and len(body.content) <= LONGEST:
            return self._ask(body.content, body.length, request, inner)
        if isinstance(body.length, int) and body.length > LONGEST:
            self._too_long()
            return inner(request)
        principal = request.principal_if_known
        lease = self.budget.lease("" if principal is None else principal.project.id)
        ahead = ReadAhead(body, LONGEST, lease, self._wheel, PATIENCE)
        return ahead.read().addCallback(self._came, ahead, request, inner)

    def _too_long(self) -> None:
        self._failed(
            "include_usage", "a request is too long or too slow to ask for usage in it (include_usage: inject)"
        )

    def _came(
        self, content: bytes | None, ahead: ReadAhead, request: ApiRequest, inner: Responder
    ) -> Deferred[ApiResponse]:
        # A client that waits for a word to send its body has had it.
        request.fields = without(request.fields, _EXPECT)
        if content is None:
            self._too_long()
            request.body = ahead
            return inner(request)
        return self._ask(content, ahead.length, request, inner, ahead.trailers)

    def _ask(
        self, content: bytes, length: object, request: ApiRequest, inner: Responder, trailers: Fields = ()
    ) -> Deferred[ApiResponse]:
        asked = asked_for_usage(content)
        said = content if asked is None else asked
        length = UNKNOWN_LENGTH if length is UNKNOWN_LENGTH else len(said)
        request.body = _Trailed(said, length, trailers) if trailers else BytesBody(said, length)
        if asked is None:
            return inner(request)
        request.fields = _fields_for(request.fields, len(asked))
        return inner(request).addCallback(self._answered)

    def _answered(self, response: ApiResponse) -> ApiResponse:
        if response.body is None or media_type_of(first(response.fields, b"content-type") or b"") != EVENT_STREAM:
            return response
        if content_codings(response.fields):
            self._failed("include_usage", "upstream has coded a stream: its usage stays in it (include_usage: inject)")
            return response
        if isinstance(response.body, BytesBody):
            _take_out(response, response.body)
        else:
            response.fields = without(response.fields, _CHANGED)
            response.body = Rewritten(response.body, UsageTaken())
        return response


def _is_chat(request: ApiRequest) -> bool:
    """Whether it may be a call of chat completions, or of completions, that can be changed."""
    if request.method != b"POST" or not request.target.partition(b"?")[0].endswith(b"/completions"):
        return False
    return not content_codings(request.fields) and _DIGESTS.isdisjoint(name.lower() for name, _ in request.fields)


def _fields_for(fields: Fields, length: int) -> list[Field]:
    """In a coded stream nothing could be taken out."""
    changed = [(name, b"%d" % length if name.lower() == b"content-length" else value) for name, value in fields]
    if not values(changed, b"accept-encoding"):
        return [*changed, (b"Accept-Encoding", b"identity")]
    found: list[Field] = []
    is_first = True
    for name, value in changed:
        if name.lower() != b"accept-encoding":
            found.append((name, value))
        elif is_first:
            found.append((name, b"identity"))
            is_first = False
    return found


def _take_out(response: ApiResponse, body: BytesBody) -> None:
    taken = UsageTaken()
    content = taken.feed(body.content) + taken.end()
    length = UNKNOWN_LENGTH if body.length is UNKNOWN_LENGTH else len(content)
    response.body = BytesBody(content, length)
    response.fields = without(response.fields, _CHANGED)


class _Trailed(BytesBody):
    """Content in chunks, with the trailer section that came behind it."""

    __slots__ = ("trailers",)

    def __init__(self, content: bytes, length: int | object, trailers: Fields) -> None:
        super().__init__(content, length)
        self.trailers = trailers
