"""Addresses of the Go program's admin pages, led to those of ours: bookmarks, and probes of C{/auth/login}."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.resource import Resource
from twisted.web.util import redirectTo

if TYPE_CHECKING:
    from twisted.web.server import Request

NAMES = (b"auth", b"dashboard", b"projects", b"tokens", b"audit")
"""The first segments of their paths."""


def new_address(path: bytes, query: bytes = b"") -> bytes:
    """
    Where a page is now. What it did to one project or token is done at its own page here.

    @param path: begins with C{/} and one of L{NAMES}.
    """
    first, *rest = path.strip(b"/").split(b"/")
    if first == b"auth":
        return b"/admin/sign-in"
    if first == b"dashboard":
        return b"/admin/"
    # An id has no dots: nothing leads out of the pages.
    which = b"/" + rest[0] if rest and rest[0].strip(b".") else b""
    return b"/admin/" + first + which + (b"?" + query if query else b"")


class OldPages(Resource):
    """Forms are not taken: they hold what the pages here would refuse."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        path, _, query = request.uri.partition(b"?")
        return redirectTo(new_address(path, query), request)
