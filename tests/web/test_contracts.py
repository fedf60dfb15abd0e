"""The contract of L{llmproxy.interfaces.downstream}, over HTTP/1, HTTP/2, a stock site, and the tests' own fake."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from llmproxy.interfaces import IConnectedProtocol, IDownstream, IServerChannel
from llmproxy.web.api.stocksite import Downstream as StockDownstream
from llmproxy.web.http1.channel import LlhttpChannel
from llmproxy.web.http1.request import ProxyRequest
from llmproxy.web.http1.upgradedclient import UpgradedClient
from llmproxy.web.http2.connection import Http2Connection
from llmproxy.web.http2.request import Http2Request

from ..tables import row
from .downstream import Downstream as FakeDownstream
from .http2wire import Http2Client
from .wire import Client, Streaming, get

ROOT = Path(__file__).resolve().parent.parent.parent

REQUESTS: tuple[type[IDownstream], ...] = (ProxyRequest, Http2Request, StockDownstream, FakeDownstream)
CHANNELS: tuple[type[IServerChannel], ...] = (LlhttpChannel, Http2Connection, UpgradedClient)
CONNECTED: tuple[type[IConnectedProtocol], ...] = (Http2Connection, UpgradedClient)
"""mypy checks that they are; the tests check names and arguments where it sees C{Any}."""

FOREIGN = {
    ("web/http1/departure.py", "select"): "events that a system may not have",
    ("web/http1/departure.py", "transport"): "Twisted's transports, which stand on each other",
    ("web/http1/halfclose.py", "socket"): "options that a system may not have",
    ("web/manage/openapi.py", "what"): "annotations of msgspec",
}
"""Objects that are not ours, and are asked what they have."""


def over_http1() -> tuple[IDownstream, Callable[[], bytes]]:
    client = Client(resource := Streaming())
    client.send(get(b"/a?b", b"X-y: 1"))
    return resource.seen[0].request, lambda: client.received


def over_http2() -> tuple[IDownstream, Callable[[], bytes]]:
    client = Http2Client(resource := Streaming())
    client.get("/a?b")
    client.run()

    def received() -> bytes:
        client.run()
        return client.contents[1]

    return resource.seen[0].request, received


def over_stock() -> tuple[IDownstream, Callable[[], bytes]]:
    seen: list[Any] = []

    class Seeing(Resource):
        isLeaf = True

        def render(self, request: Any) -> int:
            seen.append(request)
            return NOT_DONE_YET

    transport = StringTransport()
    protocol = Site(Seeing(), reactor=Clock()).buildProtocol(None)
    protocol.callLater = Clock().callLater
    protocol.makeConnection(transport)
    protocol.dataReceived(get(b"/a?b", b"X-y: 1"))
    return StockDownstream(seen[0]), transport.value


class ContractTests(SynchronousTestCase):
    def test_members(self) -> None:
        """Each implementation has every member, with the arguments that the contract names."""
        for contract, classes in ((IDownstream, REQUESTS), (IServerChannel, CHANNELS), (IConnectedProtocol, CONNECTED)):
            for name, member in vars(contract).items():
                if name.startswith("_") or not inspect.isfunction(member):
                    continue
                for each in classes:
                    theirs = inspect.signature(getattr(each, name)).parameters
                    self.assertEqual(list(theirs), list(inspect.signature(member).parameters), f"{each}.{name}")

    def test_requests(self) -> None:
        """A request has what the chain is made of, and can be answered, whatever it came by."""
        for made in (over_http1, over_http2, over_stock):
            request, received = made()
            for name in inspect.get_annotations(IDownstream):
                self.assertTrue(hasattr(request, name), name)
            self.assertEqual((request.method, request.uri, request.body), (b"GET", b"/a?b", None), made)
            self.assertEqual((request.upgrade, request.secure), (False, False), made)
            request.write_head(200, b"OK", [], UNKNOWN_LENGTH)
            request.write(b"par")
            request.write(b"ts")
            request.unregisterProducer()
            request.finish()
            self.assertIn(b"par", received())

    def test_taken_over(self) -> None:
        """A request that cannot be upgraded says so, and refuses it."""
        for made in (over_http2, over_stock):
            request, _ = made()
            self.assertFalse(request.upgrade, made)
            with row(made):
                self.assertRaises(RuntimeError, request.take_over, None)


def questions(path: Path) -> Iterator[tuple[int, str]]:
    """Where a module asks an object what it has, and which object."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr"):
            if node.func.id == "hasattr" or len(node.args) == 3:
                yield node.lineno, ast.unparse(node.args[0])


class QuestionTests(SynchronousTestCase):
    def test_nobody_asks(self) -> None:
        """What a part of ours can do is known by its type."""
        asked = [
            f"{path.relative_to(ROOT)}:{line}: {what}"
            for part in ("web", "middleware")
            for path in sorted((ROOT / "llmproxy" / part).rglob("*.py"))
            for line, what in questions(path)
            if (str(path.relative_to(ROOT / "llmproxy")), what) not in FOREIGN
            and (part, path.parent.name) != ("web", "manage")
        ]
        self.assertEqual(asked, [])
