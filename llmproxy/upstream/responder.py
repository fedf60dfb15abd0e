"""The innermost responder: the call itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH

from ..core.fields import CLIENT_ADDRESS_FIELDS, forwardable, values
from ..errors import LoopDetected
from ..message import ApiResponse
from .client import PooledClient
from .faults import translate
from .fieldheaders import FieldHeaders
from .foreignbody import ForeignBody
from .response import UpstreamResponse

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..message import Api, ApiRequest, Field

_STRIPPED = frozenset({b"expect", *CLIENT_ADDRESS_FIELDS})
_ONLY_EXPECT = frozenset({b"expect"})

MOST_PASSES = 3
"""How often a request may have been through proxies of our pseudonym: chains of them are in use, loops are not."""


class UpstreamResponder:
    """
    Sends end-to-end fields and the body as they are, and answers with what comes.

    @param client_for: the client of an API: ours, or anything with treq's C{HTTPClient.request}.
    @param pseudonym: what C{Via} calls this proxy, RFC 9110 section 7.6.3.
    """

    def __init__(self, client_for: Callable[[Api], Any], pseudonym: bytes = b"llmproxy") -> None:
        self._client_for = client_for
        self._pseudonym = pseudonym
        self._via = (b"Via", b"1.1 " + pseudonym)
        self._upstreams: dict[str, tuple[Any, bytes, bytes, frozenset[bytes], bool]] = {}

    def respond(self, request: ApiRequest) -> Deferred[ApiResponse]:
        api = request.route.api
        client, url, netloc, stripped, ours = self._upstreams.get(api.name) or self._learn(api)
        record = request.record
        fields = self._outgoing(request, netloc, stripped)
        record.attempts += 1
        if ours:
            answering = client.request(
                request.method,
                url + request.target,
                headers=FieldHeaders(fields),
                data=request.body,
                on_interim=request.on_interim,
            )
        else:
            answering = client.request(
                request.method.decode("latin-1"),
                (url + request.target).decode("latin-1"),
                headers=FieldHeaders(fields),
                data=request.body,
                allow_redirects=False,
                unbuffered=True,
            )
        responding: Deferred[ApiResponse] = answering.addCallbacks(self._answer, _failed, (request,))
        return responding

    def _learn(self, api: Api) -> tuple[Any, bytes, bytes, frozenset[bytes], bool]:
        """What is the same for every request of an API."""
        client = self._client_for(api)
        url = api.origin.scheme.encode() + b"://" + api.origin.netloc + api.path_prefix
        stripped = _ONLY_EXPECT if api.settings.get("forwarded_fields") == "pass" else _STRIPPED
        known = (client, url, api.origin.netloc, stripped, isinstance(client, PooledClient))
        self._upstreams[api.name] = known
        return known

    def _outgoing(self, request: ApiRequest, netloc: bytes, stripped: frozenset[bytes]) -> list[Field]:
        fields = forwardable(request.fields, stripped)
        identified = passed = False
        for at, (name, _) in enumerate(fields):
            size = len(name)
            if size == 4 and name.lower() == b"host":
                fields[at] = (name, netloc)
            elif size == 12 and name.lower() == b"x-request-id":
                identified = True
            elif size == 3 and name.lower() == b"via":
                passed = True
        if passed and self._passes(fields) >= MOST_PASSES:
            raise LoopDetected("base_url leads back to this proxy")
        fields.append(self._via)
        if not identified:
            fields.append((b"X-Request-ID", request.record.request_id.encode("latin-1")))
        return fields

    def _passes(self, fields: list[Field]) -> int:
        return sum(value.split(b" ").count(self._pseudonym) for value in values(fields, b"via"))

    def _answer(self, response: Any, request: ApiRequest) -> ApiResponse:
        record = request.record
        record.upstream_status = response.code
        if isinstance(response, UpstreamResponse):
            fields = forwardable(response.fields)
            fields.append(self._via)
            return ApiResponse(response.code, response.phrase, fields, response.body, response.trailers)
        return self._foreign(response, request)

    def _foreign(self, response: Any, request: ApiRequest) -> ApiResponse:
        """An answer of a stock client, which keeps the length apart and has lost order and case."""
        received = [(name, value) for name, all_of in response.headers.getAllRawHeaders() for value in all_of]
        fields = forwardable(received)
        known = response.length is not UNKNOWN_LENGTH
        if known and not any(name.lower() == b"content-length" for name, _ in fields):
            fields.append((b"Content-Length", b"%d" % response.length))
        fields.append(self._via)
        bodiless = request.method == b"HEAD" or response.code in (204, 304)
        return ApiResponse(response.code, response.phrase, fields, None if bodiless else ForeignBody(response))


def _failed(reason: Failure) -> Failure:
    error = translate(reason)
    return reason if error is reason.value else Failure(error)
