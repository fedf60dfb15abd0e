"""Tests for L{llmproxy.web.root}."""

from __future__ import annotations

from typing import Any

from treq.testing import StubTreq
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from llmproxy.bodies import BytesBody
from llmproxy.core.forwarded import TrustedProxies
from llmproxy.message import ApiRequest, ApiResponse
from llmproxy.web.api.resource import ProxyResource
from llmproxy.web.clientaddress import client_of
from llmproxy.web.root import Paths, Root

from ..tables import row
from .wire import Client, get


class RootTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.targets: list[bytes] = []

        def respond(request: ApiRequest) -> Deferred[ApiResponse]:
            self.targets.append(request.target)
            return succeed(ApiResponse(200, b"OK", [], BytesBody(b"proxied")))

        self.root = Root(ProxyResource(lambda: 0.0, respond))
        self.root.put_path("health", Data(b"healthy", "text/plain"))
        self.root.put_path("/deep/metrics", Data(b"measured", "text/plain"))

    def ask(self, path: str, tree: Resource | None = None) -> bytes:
        treq = StubTreq(tree or self.root)
        response: Any = self.successResultOf(treq.get("http://proxy.example" + path))
        body: bytes = self.successResultOf(treq.content(response))
        return body

    def test_by_name(self) -> None:
        """What has a name of its own is served as that."""
        self.assertEqual(self.ask("/health"), b"healthy")
        self.assertEqual(self.ask("/deep/metrics"), b"measured")
        self.assertEqual(self.targets, [])

    def test_the_rest(self) -> None:
        """Everything else is the proxy's, under its whole target."""
        for path in ("/v1/models?x=1", "/healthy", "/", "/a//b/"):
            self.assertEqual(self.ask(path), b"proxied", path)
        self.assertEqual(self.targets, [b"/v1/models?x=1", b"/healthy", b"/", b"/a/b/"])

    def test_written_otherwise(self) -> None:
        """A name that is escaped is not that name: what a server in front refuses nobody gets by writing it so."""
        tree = Resource()
        tree.putChild(b"a b", self.root)
        for path in ("/%68ealth", "/healt%68?x=1", "/%64eep/metrics"):
            self.assertEqual(self.ask(path), b"proxied", path)
            self.assertEqual(self.ask("/a%20b" + path, tree), b"proxied", path)
        self.assertEqual(self.ask("/a%20b/health", tree), b"healthy")

    def test_mounted(self) -> None:
        """Somewhere in another tree, the proxy sees what is below it."""
        tree, between = Resource(), Resource()
        tree.putChild(b"a", between)
        between.putChild(b"llm", self.root)
        for path in ("/a/llm/v1/models?x=1", "/a/llm", "/a/llm/health"):
            self.ask(path, tree)
        self.assertEqual(self.targets, [b"/v1/models?x=1", b"/"])

    def test_gives_way(self) -> None:
        """What an API claims is the API's, below and above, in any spelling; what it does not claim stays ours."""
        self.root = Root(
            self.root._proxy, claims=lambda path: path.startswith((b"/health", b"/deep/metrics/x", b"/manage"))
        )
        for path in ("health", "deep/metrics", "manage"):
            self.root.put_path(path, Data(path.encode(), "text/plain"))
        tree, between = Resource(), Resource()
        tree.putChild(b"a", between)
        between.putChild(b"llm", self.root)
        for path, content in (
            ("/health", b"proxied"),
            ("/%68ealth", b"proxied"),
            ("/health/a%2Fb?x=1", b"proxied"),
            ("/deep/metrics", b"deep/metrics"),
            ("/deep/metrics/x", b"proxied"),
            ("/manage", b"manage"),
        ):
            for where in (None, tree):
                with row(self, path, where):
                    self.assertEqual(self.ask(("/a/llm" if where else "") + path, where), content)
        self.assertEqual(set(self.targets), {b"/health", b"/%68ealth", b"/health/a%2Fb?x=1", b"/deep/metrics/x"})

    def test_gives_way_over_own_site(self) -> None:
        """Our own site, which looks for the proxy first, finds the same."""
        claimed: list[bytes] = []
        self.root = Root(self.root._proxy, claims=claimed.append)
        self.root.put_path("health", Data(b"healthy", "text/plain"))
        for target, leaf in ((b"/health?x", None), (b"/health/x", None), (b"/v1?health", self.root._proxy)):
            with row(self, target):
                self.assertIs(self.root.leaf_at(target), leaf)
        self.assertEqual(claimed, [b"/health", b"/health/x"])
        self.root = Root(self.root._proxy, claims=lambda path: True)
        self.root.put_path("health", Data(b"healthy", "text/plain"))
        self.assertIs(self.root.leaf_at(b"/health?x"), self.root._proxy)

    def test_client(self) -> None:
        """Whose request it is, trusted proxies tell, whatever the site and wherever the tree stands in it."""
        for trusted, expected in ((TrustedProxies(unix=True), "203.0.113.9"), (TrustedProxies(), ""), (None, "")):
            clients: list[str] = []

            class Own(Resource):
                isLeaf = True

                def render(self, request: Any, clients: list[str] = clients) -> bytes:
                    clients.append(client_of(request))
                    return b"ok"

            def respond(request: ApiRequest, clients: list[str] = clients) -> Deferred[ApiResponse]:
                clients.append(request.client)
                return succeed(ApiResponse(200, b"OK", [], BytesBody(b"proxied")))

            root, paths, tree = Root(ProxyResource(lambda: 0.0, respond), trusted), Paths(trusted), Resource()
            for each in (root, paths):
                each.put_path("/deep/own", Own())
            tree.putChild(b"llm", root)
            fields = (b"X-Forwarded-For: 198.51.100.1, 203.0.113.9",)
            for top, target in (
                (root, b"/v1/x"),
                (root, b"/deep/own"),
                (tree, b"/llm/v1/x"),
                (tree, b"/llm"),
                (tree, b"/llm/deep/own"),
                (paths, b"/deep/own"),
            ):
                client = Client(top, host="")
                client.send(get(target, *fields))
                self.assertEqual((client.status, clients.pop(), clients), (200, expected, []), target)
                channel: Any = Site(top, reactor=Clock()).buildProtocol(None)
                channel.makeConnection(StringTransport(peerAddress=UNIXAddress(None)))
                channel.dataReceived(get(target, *fields))
                self.assertEqual((clients.pop(), clients), (expected, []), target)

    def test_stock(self) -> None:
        """Below a stock site its own answers have an id, and none says what serves them."""
        for path, accept in (("/health", "*/*"), ("/deep/metrics", "*/*"), ("/deep/x", "*/*"), ("/", "text/html")):
            for sent, expected in (("mine", ["mine"]), ("a b", None)):
                headers = {"X-Request-ID": sent, "Accept": accept}
                treq = StubTreq(self.root)
                response: Any = self.successResultOf(treq.get("http://proxy.example" + path, headers=headers))
                found = response.headers.getRawHeaders("x-request-id")
                self.assertEqual(found, response.headers.getRawHeaders("request-id"), path)
                self.assertEqual(found if expected else len(found[0]), expected or 25, path)
                self.assertIsNone(response.headers.getRawHeaders("server"), path)


class PathsTests(SynchronousTestCase):
    def test_missing(self) -> None:
        """Where there is no proxy, what is not there is 404 in JSON."""
        root = Paths()
        root.put_path("/deep/metrics", Data(b"measured", "text/plain"))
        treq = StubTreq(root)
        for path, status in (("/deep/metrics", 200), ("/deep", 404), ("/deep/x", 404), ("/", 404), ("/v1/x/y", 404)):
            response: Any = self.successResultOf(treq.get("http://proxy.example" + path))
            self.assertEqual(response.code, status, path)
            if status == 404:
                body = self.successResultOf(treq.json_content(response))
                self.assertEqual(body, {"error": "not found", "code": "not_found"}, (path, status))
