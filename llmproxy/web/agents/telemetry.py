"""C{POST /v1/metrics}, C{/v1/logs} and C{/v1/traces}: what coding agents say of themselves by OTLP/HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from ...core.codings import Decoder
from ...core.inspection.contenttype import content_codings
from ...errors import BadRequest, ClientError, ContentTooLarge, UnsupportedMediaType
from ..answerresource import AnswerResource, WholeAnswer, content_within
from ..api.stocksite import fields_of
from ..clientaddress import client_of

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.web.server import Request

    from ...message import Principal
    from .access import Access, Caller

MAX_BODY = 4 * 2**20
"""Bytes, decoded too: a batch of an agent has some KiB."""

AT_ONCE = 16
"""Batches that are read at a time; one more is asked to come again, which its sender does by itself."""

PROTOBUF = b"application/x-protobuf"
JSON = b"application/json"


@frozen(eq=False)
class Batch:
    """
    @ivar signal: C{metrics}, C{logs} or C{traces}.
    @ivar content: as it came, in no coding.
    @ivar protobuf: it is protobuf; else JSON.
    """

    signal: str
    content: bytes
    protobuf: bool
    principal: Principal
    caller: Caller
    client: str
    user_agent: str


class AgentTelemetry(AnswerResource):
    """
    A batch is answered with 200 whether anybody wants it or not: what is dropped is not even read.

    @param take: takes a batch; C{None} where nobody wants it. It fails with L{ValueError} if it is no OTLP.
    """

    methods: ClassVar[tuple[bytes, ...]] = (b"POST",)

    def __init__(
        self, access: Access, signal: str, take: Callable[[], Callable[[Batch], Deferred[None]] | None]
    ) -> None:
        super().__init__()
        self._access = access
        self._signal = signal
        self._take = take
        self._reading = 0

    async def answer(self, request: Request) -> WholeAnswer:
        principal, caller = await self._access.caller(request)
        kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
        if kind not in (PROTOBUF, JSON):
            raise UnsupportedMediaType("expected application/x-protobuf or application/json")
        take = self._take()
        if self._reading >= AT_ONCE:
            take = None
        self._reading += 1
        try:
            content = await content_within(request, MAX_BODY)
            if take is not None:
                batch = Batch(
                    self._signal,
                    _decoded(request, content),
                    kind == PROTOBUF,
                    principal,
                    caller,
                    _text(client_of(request)),
                    _text(request.getHeader(b"user-agent")),
                )
                try:
                    await take(batch)
                except ValueError as error:
                    raise BadRequest(str(error)) from None
        finally:
            self._reading -= 1
        # An empty message of ExportMetricsServiceResponse and its sisters: all was taken.
        return WholeAnswer(content=b"" if kind == PROTOBUF else b"{}", kind=kind)


def _decoded(request: Request, content: bytes) -> bytes:
    codings = content_codings(fields_of(request))
    if not codings:
        return content
    try:
        decoder = Decoder(codings, MAX_BODY)
        pieces = list(decoder.feed(content))
        decoder.end()
    except ContentTooLarge:
        raise
    except (ValueError, ClientError) as error:
        raise BadRequest(f"the body cannot be decoded: {error}") from None
    return b"".join(pieces)


def _text(value: Any) -> str:
    return value[:256].decode("latin-1") if isinstance(value, bytes) else value or ""
