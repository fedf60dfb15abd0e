"""The innermost responder: the call itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from treq.client import HTTPClient
from twisted.internet.defer import fail, succeed
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH

from ..bodies import BytesBody, at_hand
from ..core.caching.dates import date_field
from ..core.cookies import without_ours, without_set_ours
from ..core.fields import (
    CLIENT_ADDRESS_FIELDS,
    END_TO_END,
    HOP_BY_HOP,
    LOWER,
    MEDIA_TYPES,
    Names,
    forwardable,
    values,
    without,
    without_named,
)
from ..core.forwarding import forwarded_on, hop_of
from ..core.maxforwards import COUNTED, hops_left, one_less
from ..core.notable import Known, Section
from ..core.targets import with_parameter
from ..core.upgraderequest import agreed, switching, upgrade_required
from ..errors import LoopDetected, MethodNotAllowed, UpstreamProtocolError
from ..message import ApiResponse
from ..providers.registry import STREAM_TYPES
from ..providers.requestids import KNOWN, id_among
from .client import PooledClient, without_te
from .errormap import translate
from .fieldheaders import FieldHeaders
from .foreignbody import ForeignBody
from .head import REQUEST_ID, KnownHead, remember_head, request_head

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.forwarded import TrustedProxies
    from ..message import Api, ApiRequest, Field, Fields
    from ..origin import Upstream
    from .client import Destination
    from .response import UpstreamResponse

_EXPECT = frozenset({b"expect"})
_STRIPPED = _EXPECT | CLIENT_ADDRESS_FIELDS
_FRAMING = frozenset({b"content-length"})
_CHANGED = frozenset({b"host", b"via", b"x-request-id", b"cookie"})
_API_VERSION = b"api-version"
_JSON = b"application/json"
_UNBUFFERED = (b"X-Accel-Buffering", b"no")

MOST_PASSES = 3
"""How often a request may have been through proxies of our pseudonym: chains of them are in use, loops are not."""


class _Prepared:
    """
    What is the same for every request to one upstream.

    @ivar destination: where our own client sends it; C{None} for others.
    @ivar stripped: by names of fields, in lower case, which of them go no further or change, of a request whose body is
        here.
    @ivar expecting: likewise, of one whose body may still be asked for.
    @ivar forwarded: how upstream learns of the client, where that is more than taking fields away.
    @ivar added: fields that every request gets, in place of those of the same name.
    @ivar trailers: C{TE: trailers} goes on, over HTTP/2.
    @ivar may_remember: what goes to upstream follows from the client's head and the configuration alone.
    @ivar waiting: the question for what is known of a head whose body may still be asked for; for all others it is the
        upstream itself, prepared.
    @ivar version: the C{api-version} of the query; C{b""} for what the client says.
    """

    __slots__ = (
        "added",
        "client",
        "destination",
        "expecting",
        "forwarded",
        "keep",
        "may_remember",
        "netloc",
        "prefix",
        "stripped",
        "trailers",
        "url",
        "version",
        "waiting",
    )

    def __init__(self, api: Api, upstream: Upstream, client: Any) -> None:
        self.client = client
        self.netloc = upstream.host or upstream.origin.netloc
        self.added = upstream.headers
        self.version = upstream.api_version
        self.prefix = upstream.path_prefix
        self.url = upstream.origin.scheme.encode("ascii") + b"://" + upstream.origin.netloc
        pooled = isinstance(client, PooledClient)
        self.destination = client.destination(self.url, upstream.server_name) if pooled else None
        mode = api.settings.forwarded_fields
        stripped = (_STRIPPED if mode == "strip" else _EXPECT) | {name.lower() for name, _ in self.added}
        self.stripped = _treated(stripped)
        # A foreign client would send the body without waiting for a word.
        self.expecting = self.stripped if self.destination is None else _treated(stripped - _EXPECT)
        self.forwarded = "" if mode in ("strip", "pass") else mode
        plain = self.destination is not None and self.destination.shared is None
        self.may_remember = plain and not self.forwarded
        self.waiting = object()
        # The project's key is in the request by now: the client's `Connection` must not take it away.
        self.keep = END_TO_END | {upstream.credential.name.lower()}
        # RFC 9113 section 8.2.2: the one of its values that HTTP/2 knows.
        self.trailers = self.destination is not None and self.destination.shared is not None
        if self.trailers:
            self.keep |= {b"te"}


def _treated(stripped: frozenset[bytes]) -> Names:
    treated = HOP_BY_HOP | stripped | _CHANGED
    return Names(lambda name: name.lower() if name.lower() in treated else b"")


class UpstreamResponder:
    """
    Sends end-to-end fields and the body as they are, and answers with what comes.

    A stock treq client keeps neither order nor case of fields, decodes gzip and holds cookies; with
    L{PooledClient} nothing of that happens. One of these belongs to one configuration: it remembers the upstreams.

    @param client_for: the client of an API: ours, or anything with treq's C{HTTPClient.request}. A stock treq client
        keeps cookies and sends them with the next request of anybody: it is for tests, and for a single tenant.
    @param pseudonym: what C{Via} calls this proxy, RFC 9110 section 7.6.3.
    @param trusted: the proxies in front that are believed.
    @param now: seconds since the epoch.
    """

    def __init__(
        self,
        client_for: Callable[[Api], Any],
        pseudonym: bytes = b"llmproxy",
        *,
        trusted: TrustedProxies | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._trusted = trusted
        self._now = now
        self._client_for = client_for
        self._pseudonym = pseudonym
        self._via = (b"Via", b"1.1 " + pseudonym)
        self._old_via = (b"Via", b"1.0 " + pseudonym)
        self._vias = (self._old_via, self._via, (b"Via", b"2.0 " + pseudonym))
        self._prepared: dict[Upstream, _Prepared] = {}

    def respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        try:
            prepared = self._prepared[request.upstream]
        except KeyError:
            prepared = self._prepare(request)
        body, destination = request.body, prepared.destination
        # RFC 9110 section 10.1.1: a body that is here needs not be asked for, and HTTP/1.0 knows nothing of it.
        waits = (
            body is not None and type(body) is not BytesBody and request.version != b"HTTP/1.0" and not at_hand(body)
        )
        known: Known | None = None
        sent: Fields = request.fields
        if type(sent) is Section and sent.known is not None and prepared.may_remember and not request.upgrade:
            known = sent.known
            head: KnownHead | None = known.facts.get(prepared.waiting if waits else prepared)
            if head is not None and destination is not None and head.is_of(request):
                request.target = head.target
                try:
                    written = head.head(sent.length, request.record.request_id, body)
                except ValueError:
                    return fail(Failure())
                return self._send(request, prepared, destination, sent, written)
        fields = self._outgoing(request, prepared, waits)
        asked = request.target
        if prepared.version:
            request.target = with_parameter(asked, _API_VERSION, prepared.version)
        if request.method in COUNTED:
            left = hops_left(fields)
            if left == 0:
                return succeed(_last(request))
            if left is not None:
                fields = one_less(fields, left)
            known = None
        if destination is not None:
            if request.upgrade:
                fields += switching(request.upgrade)
            try:
                target = destination.prefix + prepared.prefix + request.target
                lines = fields if destination.shared is None else without_te(fields)
                written = request_head(request.method, target, lines, destination, body)
            except ValueError:
                return fail(Failure())
            if known is not None:
                question = prepared.waiting if waits else prepared
                remember_head(known, question, asked, request, prepared.prefix, fields, destination, written)
            return self._send(request, prepared, destination, fields, written)
        # Another client than ours does not say when it sends.
        request.record.attempts += 1
        responding: Deferred[Any] = _foreign_call(request, prepared, fields)
        return responding.addCallbacks(self._foreign_answer, _failed, (request,))

    def _send(
        self,
        request: ApiRequest,
        prepared: _Prepared,
        destination: Destination,
        fields: Fields,
        written: tuple[bytes, int | object, bool],
    ) -> Deferred[ApiResponse]:
        answering: Deferred[ApiResponse] = prepared.client.send_head(
            destination,
            request.method,
            prepared.prefix + request.target,
            fields,
            written,
            request.body,
            request.on_interim,
            request.upgrade != b"",
            partial(self._answer, request),
            request.record,
        )
        return answering

    def _prepare(self, request: ApiRequest) -> _Prepared:
        api, upstream = request.route.api, request.upstream
        prepared = self._prepared[upstream] = _Prepared(api, upstream, self._client_for(api))
        return prepared

    def _outgoing(self, request: ApiRequest, prepared: _Prepared, waits: bool) -> list[Field]:
        treated = prepared.expecting if waits else prepared.stripped
        fields: list[Field] = []
        identified = passed = connection = False
        for pair in request.fields:
            name = treated[pair[0]]
            if not name:
                fields.append(pair)
            elif name == b"host":
                fields.append((pair[0], prepared.netloc))
            elif name == b"via":
                fields.append(pair)
                passed = True
            elif name == b"x-request-id":
                fields.append(pair)
                identified = True
            elif name == b"connection":
                connection = True
            elif name == b"cookie" and (cookies := without_ours(pair[1])):
                fields.append((pair[0], cookies))
            elif name == b"te" and prepared.trailers and pair[1].strip().lower() == b"trailers":
                fields.append(pair)
        if connection:
            fields = without_named(fields, request.fields, prepared.keep)
        if prepared.added:
            fields += prepared.added
        if prepared.forwarded:
            rfc7239 = self._trusted is not None and self._trusted.rfc7239
            fields = forwarded_on(prepared.forwarded, fields, hop_of(request, self._trusted), rfc7239)
        if passed and self._passes(fields) >= MOST_PASSES:
            raise LoopDetected("base_url leads back to this proxy")
        fields.append(self._old_via if request.version == b"HTTP/1.0" else self._via)
        if not identified:
            fields.append((REQUEST_ID, request.record.request_id.encode("latin-1")))
        return fields

    def _passes(self, fields: list[Field]) -> int:
        members = (member.split() for value in values(fields, b"via") for member in value.split(b","))
        return sum(1 for member in members if len(member) > 1 and member[1] == self._pseudonym)

    def _answer(self, request: ApiRequest, response: UpstreamResponse) -> ApiResponse:
        code = response.code
        fields = forwardable(response.fields)
        is_json = self._complete(request, code, fields)
        if code == 204:
            # RFC 9110 section 8.6: not there, and it could be taken for framing.
            fields = without(fields, _FRAMING)
        elif code == 426:
            fields += upgrade_required(response.fields)
        fields.append(self._vias[response.minor])
        # A stream of HTTP/2 says where it ends.
        until_close = response.length is UNKNOWN_LENGTH and response.minor < 2 and not _is_chunked(response.fields)
        body, trailers = response.body, response.trailers
        answer = ApiResponse(code, response.phrase, fields, body, trailers, until_close, None, is_json)
        if response.upgraded is not None:
            protocol = agreed(response.fields)
            if protocol.lower() != request.upgrade.lower():
                response.body.stopProducing()  # type: ignore[union-attr]
                raise UpstreamProtocolError("upstream switched to another protocol than was asked for")
            fields += switching(protocol)
            answer.upgraded = response.upgraded
        return answer

    def _complete(self, request: ApiRequest, code: int, fields: list[Field]) -> bool:
        """
        Note what upstream says of itself, and add what is missing for those who come after us.

        @return: it is JSON, and in no coding.
        """
        record, lower = request.record, LOWER
        record.upstream_status = code
        found = {lower[name]: value for name, value in fields}
        if not KNOWN.isdisjoint(found):
            record.upstream_request_id = id_among(found)
        if b"set-cookie" in found:
            fields[:] = without_set_ours(fields)
        if b"date" not in found:
            # RFC 9110 section 6.6.1: when it was received, and here, because it may be stored.
            fields += (date_field(self._now() // 1),)
        media_type = MEDIA_TYPES[found[b"content-type"]] if b"content-type" in found else b""
        if media_type == _JSON:
            return b"content-encoding" not in found
        if media_type in STREAM_TYPES and b"x-accel-buffering" not in found:
            # nginx in front of us would keep the stream until it has ended.
            fields.append(_UNBUFFERED)
        return False

    def _foreign_answer(self, response: Any, request: ApiRequest) -> ApiResponse:
        answer = _foreign_response(response, request)
        answer.is_json = self._complete(request, response.code, answer.fields)
        answer.fields.append(self._via)
        return answer


def _last(request: ApiRequest) -> ApiResponse:
    """
    The answer to who asked for this hop by C{Max-Forwards}: what may be asked for. A C{TRACE} would tell what was
    asked, with the credentials that are in it by now.
    """
    methods = request.route.api.policy.methods
    if request.method == b"TRACE":
        raise MethodNotAllowed(methods)
    return ApiResponse(200, b"OK", [(b"Allow", b", ".join(methods)), (b"Content-Length", b"0")], BytesBody(b""))


def _is_chunked(fields: list[Field]) -> bool:
    return any(len(name) == 17 and name.lower() == b"transfer-encoding" for name, _ in fields)


def _failed(reason: Failure) -> Failure:
    error = translate(reason)
    return reason if error is reason.value else Failure(error)


# -- stock clients


def _foreign_call(request: ApiRequest, prepared: _Prepared, fields: list[Field]) -> Deferred[Any]:
    body: Any = request.body
    if isinstance(body, BytesBody) and not isinstance(prepared.client, HTTPClient):
        # StubTreq takes bytes and nothing else.
        body = body.take()
    answering: Deferred[Any] = prepared.client.request(
        request.method.decode("latin-1"),
        (prepared.url + prepared.prefix + request.target).decode("latin-1"),
        # Agent writes the framing itself, and would do so twice.
        headers=FieldHeaders(without(fields, _FRAMING)),
        data=body,
        allow_redirects=False,
        unbuffered=True,
    )
    return answering


def _foreign_response(response: Any, request: ApiRequest) -> ApiResponse:
    """What a stock client makes of a response: it keeps the length apart."""
    received = [(name, value) for name, lines in response.headers.getAllRawHeaders() for value in lines]
    fields = forwardable(received)
    bodiless = request.method == b"HEAD" or response.code in (204, 304)
    if not bodiless and response.length is not UNKNOWN_LENGTH:
        fields = without(fields, _FRAMING)
        fields.append((b"Content-Length", b"%d" % response.length))
    return ApiResponse(response.code, response.phrase, fields, None if bodiless else ForeignBody(response))
