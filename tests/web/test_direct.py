"""Calls of an API without HTTP."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.clientaddress import client_of
from llmproxy.web.direct import DirectRequest


class DirectRequestTests(SynchronousTestCase):
    def test_as_a_request(self) -> None:
        """It has what an API looks at of a request."""
        for client in ("203.0.113.7", "2001:db8::1", ""):
            made = DirectRequest("POST", "/a%2Fb/c?x=1", {"If-Match": "é"}, b"{}", client=client)
            self.assertEqual(client_of(made), client, client)  # type: ignore[arg-type]
        self.assertEqual((made.method, made.uri, made.postpath), (b"POST", b"/manage/a%2Fb/c?x=1", [b"a/b", b"c"]))
        self.assertEqual((made.getHeader(b"if-match"), made.getHeader(b"x")), ("é".encode(), None))
        self.assertEqual(made.content.read(), b"{}")
