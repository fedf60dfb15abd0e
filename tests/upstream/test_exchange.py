"""Tests for L{llmproxy.upstream.exchange}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IClientRequest
from zope.interface.verify import verifyObject

from llmproxy.bodies import BytesBody
from llmproxy.errors import UpstreamReset
from llmproxy.upstream.exchange import Exchange
from tests.compiled import python_only


class Holder:
    def __init__(self) -> None:
        self.forgotten: list[Any] = []

    def forget(self, exchange: Any) -> None:
        self.forgotten.append(exchange)


class ExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        fields = [(b"x-A", b"1"), (b"X-a", b"2")]
        self.exchange = Exchange(b"GET", b"http://up.example", b"/", fields, b"GET / HTTP/1.1\r\n\r\n", None, 0, None)
        self.holder = self.exchange.holder = Holder()

    def test_interface(self) -> None:
        """A response tells what it is the answer to, as those of Twisted do."""
        verifyObject(IClientRequest, self.exchange)
        self.assertEqual(self.exchange.headers.getRawHeaders(b"x-a"), [b"1", b"2"])
        self.assertEqual(self.exchange.absoluteURI, b"http://up.example/")

    def test_content_at_hand(self) -> None:
        """What is here whole is sent with the head, and can be sent again; a length that is another's is not."""
        for length, whole in ((3, b"head abc"), (4, None)):
            exchange = Exchange(b"POST", b"http://up.example", b"/", [], b"head ", BytesBody(b"abc"), length, None)
            self.assertEqual(exchange.whole, whole, (length, whole))

    @python_only("it hands in a text for a response")
    def test_made(self) -> None:
        """Who wants something else than the response gets what is made of it, or the fault in making it."""
        self.exchange.made = lambda response: (response, "made")
        self.exchange.succeed("response")  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(self.exchange.result), ("response", "made"))
        self.setUp()
        self.exchange.made = lambda response: response.code
        self.exchange.succeed("response")  # type: ignore[arg-type]
        self.failureResultOf(self.exchange.result, AttributeError)

    def test_cancelled(self) -> None:
        """Whoever holds it is told to let go, once."""
        self.exchange.result.cancel()
        self.failureResultOf(self.exchange.result, CancelledError)
        self.assertEqual(self.holder.forgotten, [self.exchange])

    def test_failed(self) -> None:
        """After a failure there is nothing to let go of."""
        self.exchange.fail(Failure(UpstreamReset()))
        self.failureResultOf(self.exchange.result, UpstreamReset)
        self.exchange.result.cancel()
        self.assertEqual(self.holder.forgotten, [])

    @python_only("it hands in nothing for a response")
    def test_succeeded(self) -> None:
        """What was sent is let go of when the answer is there; who asked is still known."""
        self.exchange.succeed(None)  # type: ignore[arg-type]
        self.successResultOf(self.exchange.result)
        self.assertEqual((self.exchange.head, self.exchange.whole), (b"", None))
        self.assertEqual(self.exchange.absoluteURI, b"http://up.example/")

    def test_replayed(self) -> None:
        """What was not begun, or is here whole, can be sent again."""
        for whole, begun, expected in (
            (None, False, True),
            (None, True, False),
            (b"head abc", False, True),
            (b"head abc", True, True),
        ):
            self.exchange.whole, self.exchange.begun = whole, begun
            self.assertIs(self.exchange.can_replay, expected, (whole, begun))
