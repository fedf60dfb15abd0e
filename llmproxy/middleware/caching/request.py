"""A request as the cache sees it, and the one that goes to upstream in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ...bodies import BytesBody
from ...core.caching.answer import answer
from ...core.caching.conditional import validating
from ...core.caching.key import secondary_key
from ...message import ApiRequest, ApiResponse, Record
from ...usage import UNKNOWN
from .body import body_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from ...apisettings import CacheSettings
    from ...core.caching.content import Content
    from ...core.caching.directives import RequestDirectives
    from ...core.caching.entry import Entry, Used
    from ...core.caching.key import Key
    from ...core.caching.status import Forward
    from ...interfaces import Responder
    from ...message import Field, InterimSink


HIT = "hit"


@frozen
class Again:
    """
    What a fetch brings to a request that must look elsewhere.

    @ivar names: by what the response varies, if that is why.
    @ivar alone: it makes no sense to wait for another one.
    """

    names: tuple[bytes, ...] | None = None
    alone: bool = False


class CacheRequest:
    """
    What L{Lookup <llmproxy.middleware.caching.lookup.Lookup>} knows of its request; a fetch and its filling only read
    it.

    @ivar names: what the variants differ by, as far as is known; C{variant} is what the request has there.
    @ivar shown_key: the key for C{Cache-Status}, C{b""} where the API shows none.
    @ivar reason: why the request goes on, as C{Cache-Status} calls it.
    @ivar content: of a POST.
    @ivar lifetime: what the client of a POST asked for, in seconds.
    """

    __slots__ = (
        "asked",
        "content",
        "inner",
        "key",
        "lifetime",
        "names",
        "reason",
        "request",
        "settings",
        "shown_key",
        "variant",
    )

    def __init__(
        self,
        request: ApiRequest,
        inner: Responder,
        asked: RequestDirectives,
        settings: CacheSettings,
        key: Key,
        content: bytes | None = None,
        lifetime: float | None = None,
    ) -> None:
        self.request = request
        self.inner = inner
        self.asked = asked
        self.settings = settings
        self.key = key
        self.shown_key = key.digest[:8].hex().encode("ascii") if request.route.api.debug_fields else b""
        self.content = content
        self.lifetime = lifetime
        self.reason: Forward = "uri-miss"
        self.names: tuple[bytes, ...] = ()
        self.variant = b""

    def select(self, names: tuple[bytes, ...]) -> bytes:
        """The variant by these names, which is remembered."""
        self.names = names
        self.variant = variant = self.variant_of(names)
        return variant

    def variant_of(self, names: tuple[bytes, ...]) -> bytes:
        """The variant by these names."""
        return secondary_key(self.request, names) if names else b""

    def goes_on(self, reason: Forward) -> None:
        """The cache cannot answer it."""
        self.request.record.cache = self.reason = reason

    def answer(self, clock: IReactorTime, now: float, entry: Entry, content: Content, member: Field) -> ApiResponse:
        """What this client gets of a response that is here whole; what had been used for it is used no second time."""
        if entry.used is not None:
            self.saves(entry.used)
        made = answer(entry, self.asked, now, member, head=self.request.method == b"HEAD")
        body = None
        if made.part is not None and made.status != 204:
            start, end = made.part
            body = body_of(clock, content if end - start == len(content) else content[start:end])
        return ApiResponse(made.status, made.reason, made.fields, body)

    def saves(self, used: Used | None) -> None:
        """An answer that another request was sent for had used this."""
        record = self.request.record
        if used is not None and record.usage is None:
            record.saved = used.usage()

    def shares(self) -> None:
        """It gets what another request was sent for: a hit, though the store may never have it."""
        record = self.request.record
        if not record.attempts:
            record.cache = HIT

    def outgoing(
        self, asks_for: Entry | None, on_interim: InterimSink | None, now: float, *, background: bool
    ) -> ApiRequest:
        """
        A request of its own: what is further in changes it, and writes into its record.

        @param asks_for: what upstream is asked whether it is still good.
        """
        asked = self.request
        known = asked.record
        record = Record(known.request_id, known.method, known.path, known.client, now, known.user_agent)
        record.api, record.endpoint = known.api, known.endpoint
        record.project_id, record.token_id, record.trace = known.project_id, known.token_id, known.trace
        record.person_id = known.person_id
        if background:
            record.method, record.details = "GET", {"background": "revalidation"}
        else:
            record.part_of = known
        request = ApiRequest(
            self.key.method,
            asked.target,
            asked.fields if asks_for is None else validating(asked.fields, asks_for),
            BytesBody(self.content) if self.content else None,
            record,
            asked.version,
            asked.client,
            asked.secure,
            on_interim if asked.on_interim is not None else None,
        )
        request.route = asked.route
        request.principal = asked.principal
        request.model = asked.model
        return request

    def add_attempts(self, record: Record) -> None:
        """What a call to upstream took, up to its head, stands in the record of a request that it was made for."""
        mine = self.request.record
        mine.attempts += record.attempts
        if record.calls is not None:
            # Those that have not ended yet are noted in as they end.
            mine.calls = [*(mine.calls or ()), *record.calls]
        mine.upstream, mine.provider = record.upstream, record.provider
        mine.upstream_status = record.upstream_status
        mine.upstream_request_id = record.upstream_request_id
        mine.upstream_first_byte = record.upstream_first_byte

    def add_details(self, record: Record) -> None:
        """What was found out of a response on its way, the usage for example, belongs to who asked for it."""
        mine = self.request.record
        # What was not known when its head came may be known to be none at its end.
        if record.usage is not None or mine.usage is UNKNOWN:
            # It may be one that shared the answer, and is the first that is still there.
            mine.cache = self.reason
            mine.model, mine.usage, mine.response_id = record.model, record.usage, record.response_id
            mine.truncated, mine.first_token = record.truncated, record.first_token
            mine.streamed, mine.streamed_for = record.streamed, record.streamed_for
        if record.answer_id:
            mine.answer_id, mine.claimed = record.answer_id, record.claimed
        if record.details:
            # What is of the connection of another client is not ours.
            found = {name: value for name, value in record.details.items() if name != "client_certificate"}
            mine.details = {**(mine.details or {}), **found}
