"""The page for a person with a browser."""

from __future__ import annotations

from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from llmproxy.bodies import BytesBody
from llmproxy.message import ApiRequest, ApiResponse
from llmproxy.web.api.resource import ProxyResource
from llmproxy.web.root import Root
from llmproxy.web.welcome import PAGE

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def respond(request: ApiRequest) -> Deferred[ApiResponse]:
    return succeed(ApiResponse(401, b"Unauthorized", [], BytesBody(b"proxied")))


class WelcomeTests(SynchronousTestCase):
    def ask(
        self, path: str = "/", method: str = "GET", tree: Resource | None = None, **fields: str
    ) -> tuple[Any, bytes]:
        treq = StubTreq(tree or Root(ProxyResource(lambda: 0.0, respond)))
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        response: Any = self.successResultOf(treq.request(method, "http://proxy.example" + path, headers=headers))
        return response, self.successResultOf(treq.content(response))

    def test_pages(self) -> None:
        """Where there are pages for people, it leads there."""
        root = Root(ProxyResource(lambda: 0.0, respond))
        root.put_path("admin", Resource())
        _, body = self.ask(tree=root, Accept=BROWSER)
        self.assertIn(b'<a href="admin/">sign in</a>', body)
        self.assertNotIn(b"has no pages", body)
        self.assertNotIn(b"admin/", PAGE)

    def test_browser(self) -> None:
        """A person learns what this is and where to go on; nothing of the page may be loaded from elsewhere."""
        response, body = self.ask(Accept=BROWSER)
        self.assertEqual((response.code, body), (200, PAGE))
        for words in (b"proxy", b"base URL", b"token", b"llmproxy --help"):
            self.assertIn(words, body)
        self.assertIn("default-src 'none'", response.headers.getRawHeaders("content-security-policy")[0])
        self.assertEqual(response.headers.getRawHeaders("content-type"), ["text/html; charset=utf-8"])
        self.assertEqual(response.headers.getRawHeaders("cache-control"), ["no-store"])
        self.assertEqual(self.ask(method="HEAD", Accept=BROWSER)[1], b"")

    def test_programs(self) -> None:
        """Whoever shows a token, asks for something, or for anything but a page, is answered by the proxy."""
        for path, method, fields in (
            ("/", "GET", {}),
            ("/", "GET", {"Accept": "application/json"}),
            ("/", "GET", {"Accept": "*/*"}),
            ("/", "GET", {"Accept": "text/html", "Authorization": "Bearer x"}),
            ("/", "GET", {"Accept": "text/html", "x_api_key": "x"}),
            ("/", "GET", {"Accept": "text/html", "x_goog_api_key": "x"}),
            ("/", "GET", {"Accept": "text/html", "Upgrade": "websocket"}),
            ("/?key=x", "GET", {"Accept": "text/html"}),
            ("/v1/", "GET", {"Accept": "text/html"}),
            ("/v1", "GET", {"Accept": "text/html"}),
            ("//", "GET", {"Accept": "text/html"}),
            ("/", "POST", {"Accept": "text/html"}),
            ("/", "OPTIONS", {"Accept": "text/html"}),
        ):
            self.assertEqual(self.ask(path, method, **fields)[1], b"proxied", (path, method, fields))

    def test_mounted(self) -> None:
        """In another tree the page is where the proxy is."""
        tree = Resource()
        tree.putChild(b"llm", Root(ProxyResource(lambda: 0.0, respond)))
        self.assertEqual(self.ask("/llm/", tree=tree, Accept=BROWSER)[1], PAGE)
        self.assertEqual(self.ask("/llm/v1", tree=tree, Accept=BROWSER)[1], b"proxied")
