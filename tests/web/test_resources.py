"""Tests for L{llmproxy.web.resources}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from llmproxy.core.forwarded import TrustedProxies
from llmproxy.web.resources import RootResource, StreamingResource, trusted_by

from .http2wire import Http2Client
from .wire import Client, Streaming, Whole, get, post


class Tree(RootResource):
    """Finds one target by itself."""

    def __init__(self, leaf: Resource) -> None:
        super().__init__()
        self.leaf = leaf

    def leaf_at(self, target: bytes) -> Resource | None:
        return self.leaf if target.startswith(b"/v1/") else None


class Late(Resource):
    """A resource of twisted.web's, which says nothing of streams."""

    isLeaf = True

    def render(self, request: Any) -> int:
        assert request.content is not None, "rendered before its body was here"
        return NOT_DONE_YET


class ResourceTests(SynchronousTestCase):
    def test_streams(self) -> None:
        """A streaming resource is rendered while the body is on its way, any other one when it is here."""
        self.assertIsInstance(streaming := Streaming(), StreamingResource)
        Client(streaming).send(post(b"12345678")[:-4])
        self.assertEqual(len(streaming.seen), 1)
        client = Client(whole := Whole())
        client.send(post(b"12345678")[:-4])
        self.assertEqual(whole.requests, [])
        client.send(b"5678")
        self.assertEqual(whole.requests, [(b"POST", b"/", b"12345678")])
        Client(Late()).send(post(b"1"))

    def test_streams_over_http2(self) -> None:
        """So it is over HTTP/2."""
        client = Http2Client(streaming := Streaming())
        client.send(client.begin("POST", "/"), b"1234")
        self.assertEqual(len(streaming.seen), 1)

    def test_leaves(self) -> None:
        """A root that knows where a target leads is asked first; what it does not know is searched for."""
        client = Client(Tree(leaf := Streaming()))
        client.send(get(b"/v1/models"))
        self.assertEqual([seen.line for seen in leaf.seen], [(b"GET", b"/v1/models")])
        leaf.seen[0].answer()
        client.send(get(b"/other"))
        self.assertEqual((client.status, len(leaf.seen)), (404, 1))

    def test_nothing_by_itself(self) -> None:
        """A root that knows nothing leaves it to the search, and to the site."""
        root = RootResource()
        self.assertEqual((root.leaf_at(b"/"), trusted_by(root), trusted_by(Resource())), (None, None, None))
        trusted = TrustedProxies(unix=True)
        self.assertIs(trusted_by(RootResource(trusted)), trusted)
