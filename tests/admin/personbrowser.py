"""A browser at pages of people who sign in by an identity provider."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from treq.testing import StubTreq
from twisted.web.resource import Resource

from .browser import ORIGIN, Shown


class PersonBrowser:
    """
    Mixed into a test case.

    @cvar place: the path that the pages are below.
    @ivar pages: the tree that they are in.
    @ivar cookies: those that were set.
    """

    place = ""
    pages: Resource
    cookies: dict[str, str]

    def visit(self, path: str, data: dict[str, Any] | None = None, origin: str | None = ORIGIN) -> Shown:
        sent = {"User-Agent": "a browser", "Accept-Language": "en"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if data is not None:
            body = urlencode(data).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            if origin is not None:
                sent["Origin"] = origin
        client = StubTreq(self.pages)
        response: Any = self.successResultOf(  # type: ignore[attr-defined]
            client.request(
                "GET" if data is None else "POST",
                f"{ORIGIN}{self.place}{path}",
                headers=sent,
                data=body,
                allow_redirects=False,
                unbuffered=True,
            )
        )
        shown = Shown(response, self.successResultOf(client.content(response)), path)  # type: ignore[attr-defined]
        for line in response.headers.getRawHeaders("set-cookie", []):
            pair, *attributes = line.split("; ")
            assert "HttpOnly" in attributes, line
            name, _, value = pair.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return shown
