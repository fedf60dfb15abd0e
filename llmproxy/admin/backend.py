"""Backends of the pages: the management API, in this process or over HTTP, as a page asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from attrs import field, frozen

from ..management.atonce import Asking
from ..message import Role


@frozen
class Browser:
    """
    What is known of who asks for a page.

    @ivar client: its address, as far as trusted proxies name it.
    @ivar agent: the browser, by its own word.
    @ivar referer: the page that it comes from.
    """

    client: str = ""
    agent: str = ""
    referer: str = ""


@frozen
class Who:
    """
    Who is signed in.

    @ivar name: what the audit log calls them.
    @ivar permissions: see L{llmproxy.core.roles}.
    """

    name: str
    role: Role
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        """Whether they may; C{""} is for everybody."""
        return not permission or permission in self.permissions


@frozen
class SignedIn:
    """@ivar secret: of the session."""

    secret: str = field(repr=False)
    kept: bool


@frozen
class Answer:
    """
    What the API said.

    @ivar value: as plain values of JSON; a L{Streamed} where the answer is no JSON.
    @ivar version: its C{ETag}, C{""} where it has none.
    @ivar after: the C{cursor} of the next page of a list, C{""} where this is the last.
    """

    value: Any
    version: str = ""
    after: str = ""


class ApiError(Exception):
    """
    A refusal of the API.

    @ivar status: of HTTP; 502 where the API cannot be reached, 503 where it cannot answer now.
    @ivar code: C{session_over} ends the session here too.
    @ivar message: a few words.
    @ivar description: more of them, or C{""}.
    @ivar retry_after: seconds, 0 where nothing is known.
    """

    def __init__(self, status: int, code: str, message: str, description: str = "", retry_after: int = 0) -> None:
        super().__init__(f"{message}: {description}" if description else message)
        self.status = status
        self.code = code
        self.message = message
        self.description = description
        self.retry_after = retry_after


class Api(Protocol):
    """The management API, asked by one who is signed in. Every method raises L{ApiError} for a refusal."""

    async def who(self) -> Who:
        """Who is signed in; asked once for each page, before anything else."""

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
        """
        Make a call.

        @param path: below C{/manage}, each segment quoted (L{llmproxy.admin.backend.segment}).
        @param query: parameters; those that are C{""} are not sent.
        @param body: sent as JSON.
        @param version: of what is changed, for C{If-Match}: who changes something that somebody else has changed
            since gets a 412.
        @param key: an C{Idempotency-Key}: a form that is sent twice is acted on once.
        """

    async def gather(self, *asking: Asking) -> list[Any]:
        """
        What several coroutines that only look answer, in their order: they ask at once. The first refusal is raised,
        when all have ended.
        """

    def done(self) -> None:
        """Nothing more is asked for this page."""


class Backend(Protocol):
    """What the pages stand on."""

    async def sign_in(self, token: str, keep: bool, browser: Browser) -> SignedIn:
        """
        Begin a session.

        @param token: the management token, or an admin's.
        @raise ApiError: it is not known, or who asks is locked out.
        """

    def api(self, secret: str, browser: Browser) -> Api:
        """
        The API as one session may use it.

        @param secret: of the session.
        """


def segment(text: str) -> str:
    """A name or an id as one segment of a path, whatever is in it."""
    return quote(text, safe="") if text not in (".", "..") else text.replace(".", "%2E")


def fields_sent(browser: Browser) -> dict[str, str]:
    """What the audit log notes of a call that a page has made: the browser behind it, and that it was a page."""
    named = {
        "X-Admin-Origin": "1",
        "X-Forwarded-User-Agent": browser.agent[:512],
        "X-Forwarded-Referer": browser.referer[:512],
    }
    return {name: value for name, value in named.items() if value and value.isprintable() and value.isascii()}
