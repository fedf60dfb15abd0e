"""Where the next page is."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec import UNSET
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import BadRequest
from llmproxy.message import Page
from llmproxy.web.manage.paging import MAX_PAGE, Paging, given, rows
from llmproxy.web.operations import Call


class Request:
    def __init__(self, uri: bytes) -> None:
        self.uri = uri


class RowsTests(SynchronousTestCase):
    def ask(
        self, uri: bytes, page: Any, query: Paging | None = None, **wanted: Any
    ) -> tuple[list[str], dict[str, Any]]:
        """The rows, and the parameters of the link to the next page."""
        call = Call(Request(uri))
        call.query = query or Paging()
        found = self.successResultOf(Deferred.fromCoroutine(rows(call, page, **wanted)))
        if not call.fields:
            return found, {}
        [(name, value)] = call.fields
        self.assertEqual((name, value[:1], value[-13:]), (b"Link", b"<", b'>; rel="next"'))
        target = urlsplit(value[1:-13].decode())
        self.assertEqual(target.path, "/manage/things")
        return found, parse_qs(target.query)

    def test_last(self) -> None:
        """The last page has no link."""
        asked: list[Any] = []

        def page(limit: int, after: str | None, **wanted: Any) -> Any:
            asked.append((limit, after, wanted))
            return succeed(Page(["a"]))

        self.assertEqual(self.ask(b"/manage/things", page, active=True), (["a"], {}))
        self.ask(b"/manage/things?limit=2&cursor=x", page, Paging(2, "x"))
        self.assertEqual(asked, [(MAX_PAGE, None, {"active": True}), (2, "x", {})])

    def test_next(self) -> None:
        """The link asks for what was asked for, from where this page ended."""
        found, query = self.ask(
            b"/manage/things?cursor=old&name=a%26b%20%C3%A9&limit=2", lambda *details: succeed(Page(["a", "b"], "new"))
        )
        self.assertEqual((found, query), (["a", "b"], {"name": ["a&b é"], "limit": ["2"], "cursor": ["new"]}))

    def test_bad_cursor(self) -> None:
        """A cursor that no link gave is a bad request."""

        def page(limit: int, after: str | None) -> Any:
            raise ValueError("after")

        call = Call(Request(b"/manage/things?cursor=x"), query=Paging(2, "x"))
        self.failureResultOf(Deferred.fromCoroutine(rows(call, page)), BadRequest)

    def test_given(self) -> None:
        """A parameter that was not given is none; C{False} was given."""
        self.assertEqual((given(UNSET), given(False)), (None, False))
