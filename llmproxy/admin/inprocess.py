"""The management API of this process, as the pages ask it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from ..core.roles import PERMISSIONS, may
from ..errors import ProxyError
from ..management.atonce import Asking, begun, ended
from ..store.together import begun_together
from ..web.direct import DirectRequest
from ..web.streamed import Streamed
from .backend import Answer, ApiError, Browser, SignedIn, Who, fields_sent

if TYPE_CHECKING:
    from ..message import Fields
    from ..web.manage.auth import Actor
    from ..web.manage.context import ManageResource

_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')


class InProcess:
    """
    @param resource: the management API, wherever it is served.
    """

    def __init__(self, resource: ManageResource) -> None:
        self._resource = resource

    async def sign_in(self, token: str, keep: bool, browser: Browser) -> SignedIn:
        api = self.api(token, browser)
        said = (await api.ask("POST", "/sessions", body={"keep": keep, "agent": browser.agent[:1024]})).value
        return SignedIn(said["secret"], said["kept"])

    def api(self, secret: str, browser: Browser) -> InProcessApi:
        return InProcessApi(self._resource, secret, browser)


class InProcessApi:
    """The API for one page: who asks is looked up once."""

    def __init__(self, resource: ManageResource, secret: str, browser: Browser) -> None:
        self._resource = resource
        self._browser = browser
        self._fields = {
            **fields_sent(browser),
            "Authorization": f"Bearer {secret}",
            "User-Agent": browser.agent,
        }
        self._actor: Actor | None = None
        self._notes: list[Callable[[], None]] = []

    async def who(self) -> Who:
        try:
            self._actor = actor = await self._resource.actor(self._request("GET", "/self", {}, None))
        except ProxyError as error:
            raise _refusal(error) from None
        return Who(actor.name, actor.role, frozenset(each for each in PERMISSIONS if may(actor.role, each)))

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
        target = path + (f"?{urlencode(given)}" if given else "")
        more = {"If-Match": version} if version else {}
        if key:
            more["Idempotency-Key"] = key
        try:
            call, result = await self._resource.make(self._request(method, target, more, body))
        except ProxyError as error:
            raise _refusal(error) from None
        return answer_of(plain(result), call.fields)

    async def gather(self, *asking: Asking) -> list[Any]:
        return await ended(begun_together(lambda: begun(asking)))

    def done(self) -> None:
        notes, self._notes = self._notes, []
        for note in notes:
            note()

    def _request(self, method: str, target: str, more: dict[str, str], body: Mapping[str, Any] | None) -> DirectRequest:
        content = b""
        if body is not None:
            content = msgspec.json.encode(body)
            more = {**more, "Content-Type": "application/json"}
        fields = {**self._fields, **more}
        # What only looks is noted when the page has been made, all at once.
        later = self._notes if method == "GET" else None
        client, actor = self._browser.client, self._actor
        return DirectRequest(method, target, fields, content, client=client, actor=actor, later=later)


def plain(result: Any) -> Any:
    """What an operation answers, as the values that its JSON would be read as."""
    if result is None or isinstance(result, Streamed):
        return result
    return msgspec.json.decode(msgspec.json.encode(result))


def answer_of(value: Any, fields: Fields) -> Answer:
    """
    What a page gets of an answer.

    @param fields: those of it.
    """
    version = after = ""
    for name, content in fields:
        text = content.decode("latin-1")
        if name.lower() == b"etag":
            version = text
        elif name.lower() == b"link" and (found := _NEXT.search(text)):
            after = parse_qs(urlsplit(found[1]).query).get("cursor", [""])[0]
    return Answer(value, version, after)


def _refusal(error: ProxyError) -> ApiError:
    wait = next((value for name, value in error.fields if name.lower() == b"retry-after"), b"0")
    return ApiError(error.status, error.code, error.message, error.description, int(wait) if wait.isdigit() else 0)
