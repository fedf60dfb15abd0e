"""The management API of another process, as the pages ask it, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from twisted.internet.defer import Deferred, DeferredQueue, TimeoutError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers

from ..management.atonce import Asking, all_of
from ..web.streamed import Streamed
from .backend import Answer, ApiError, Browser, SignedIn, Who, fields_sent
from .inprocess import answer_of

WITHIN = 30.0
"""Seconds for an answer to begin."""

MAX_BODY = 32 * 1024 * 1024
"""Bytes of an answer that is read whole; the longest list has a thousand entries."""

_STREAMED = ("text/event-stream", "application/jsonl", "text/csv")


class Client(Protocol):
    """A part of C{treq.client.HTTPClient}."""

    def request(self, method: str, url: str, **arguments: Any) -> Deferred[Any]: ...


class OverHttp:
    """
    @param client: follows no redirect, so that a secret is sent to nobody else.
    @param url: of the proxy, without C{/manage} and without a slash at its end.
    """

    def __init__(self, clock: IReactorTime, client: Client, url: str) -> None:
        self._clock = clock
        self._client = client
        self._url = url

    async def sign_in(self, token: str, keep: bool, browser: Browser) -> SignedIn:
        body = {"keep": keep, "client": browser.client[:64], "agent": browser.agent[:1024]}
        said = (await self.api(token, browser).ask("POST", "/sessions", body=body)).value
        return SignedIn(said["secret"], said["kept"])

    def api(self, secret: str, browser: Browser) -> HttpApi:
        return HttpApi(self._clock, self._client, self._url, secret, browser)


class HttpApi:
    """The API for one page."""

    def __init__(self, clock: IReactorTime, client: Client, url: str, secret: str, browser: Browser) -> None:
        self._clock = clock
        self._client = client
        self._url = url
        self._fields = {**fields_sent(browser), "Accept": "application/json", "User-Agent": "llmproxy-admin-ui"}
        # What cannot be sent is no token: the API would say the same.
        self._is_sendable = bool(secret) and secret.isascii() and secret.isprintable() and " " not in secret
        self._fields["Authorization"] = f"Bearer {secret if self._is_sendable else 'x'}"
        if browser.client:
            self._fields["X-Forwarded-For"] = browser.client

    async def who(self) -> Who:
        said = (await self.ask("GET", "/self")).value
        return Who(said["name"], said["role"], frozenset(said["permissions"]))

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        version: str = "",
        key: str = "",
    ) -> Answer:
        given = {name: value for name, value in (query or {}).items() if value}
        url = f"{self._url}/manage{path}" + (f"?{urlencode(given)}" if given else "")
        fields = {**self._fields, **({"If-Match": version} if version else {})}
        if key:
            fields["Idempotency-Key"] = key
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            fields["Content-Type"] = "application/json"
        response = await self._answered(method, url, fields, content)
        kind = (response.headers.getRawHeaders(b"content-type", [b""])[0]).decode("latin-1").partition(";")[0]
        if response.code == 200 and kind in _STREAMED:
            return Answer(_streamed(response, kind))
        content = await _whole(response)
        if not 200 <= response.code < 300:
            raise _refusal(response, content)
        fields_of = [(name, value) for name, lines in response.headers.getAllRawHeaders() for value in lines]
        return answer_of(_value(content), fields_of)

    async def gather(self, *asking: Asking) -> list[Any]:
        return await all_of(asking)

    def done(self) -> None:
        pass

    async def _answered(self, method: str, url: str, fields: Mapping[str, str], content: bytes | None) -> Any:
        headers = Headers({name: [value] for name, value in fields.items()})
        asking = self._client.request(
            method, url, headers=headers, data=content, allow_redirects=False, unbuffered=True
        )
        asking.addTimeout(WITHIN, self._clock)
        try:
            return await asking
        except (ConnectError, DNSLookupError, ResponseFailed, TimeoutError, OSError) as error:
            raise ApiError(502, "unreachable", "the proxy cannot be reached", _words(error)) from None


def _words(error: Exception) -> str:
    return "it does not answer in time" if isinstance(error, TimeoutError) else type(error).__name__


def _value(content: bytes) -> Any:
    if not content:
        return None
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        raise ApiError(502, "no_api", "the answer is no JSON", "is this the address of the management API?") from None


def _refusal(response: Any, content: bytes) -> ApiError:
    try:
        said = msgspec.json.decode(content)
    except msgspec.DecodeError:
        said = None
    wait = response.headers.getRawHeaders("retry-after", ["0"])[0]
    after = int(wait) if wait.isascii() and wait.isdigit() else 0
    if not isinstance(said, dict):
        return ApiError(response.code, "", f"the proxy answered with status {response.code}", "", after)
    words, more = str(said.get("error", "")), str(said.get("description", ""))
    return ApiError(response.code, str(said.get("code", "")), words, more, after)


class _Pieces(TwistedProtocol):
    """The body of an answer as it comes: no more is read than is taken."""

    def __init__(self) -> None:
        self.queue: DeferredQueue[bytes | Exception | None] = DeferredQueue()
        self._waiting = 0

    def dataReceived(self, data: bytes) -> None:
        self._waiting += 1
        if self.transport is not None:
            self.transport.pauseProducing()  # type: ignore[attr-defined]
        self.queue.put(data)

    def taken(self) -> None:
        self._waiting -= 1
        if not self._waiting and self.transport is not None:
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        broken = ApiError(502, "unreachable", "the answer of the proxy broke off")
        self.queue.put(None if reason.check(ResponseDone) else broken)

    def stop(self) -> None:
        if self.transport is not None:
            self.transport.stopProducing()  # type: ignore[attr-defined]


async def _pieces(response: Any) -> AsyncGenerator[bytes, None]:
    protocol = _Pieces()
    response.deliverBody(protocol)
    try:
        while True:
            piece = await protocol.queue.get()
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise piece
            yield piece
            protocol.taken()
    finally:
        protocol.stop()


def _streamed(response: Any, kind: str) -> Streamed:
    said = (response.headers.getRawHeaders("content-disposition", [""])[0]).partition('filename="')[2].rstrip('"')
    name = said if said.isascii() and said.replace("-", "").replace(".", "").replace("_", "").isalnum() else "export"
    return Streamed(kind.encode("latin-1"), name, lambda: _pieces(response))


async def _whole(response: Any) -> bytes:
    content = b""
    pieces = _pieces(response)
    try:
        async for piece in pieces:
            content += piece
            if len(content) > MAX_BODY:
                raise ApiError(502, "too_long", f"the answer is longer than {MAX_BODY} bytes")
    finally:
        await pieces.aclose()
    return content
