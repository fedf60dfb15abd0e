"""The API as pages of another process ask it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from llmproxy.admin.backend import ApiError, Browser
from llmproxy.admin.remote import MAX_BODY, WITHIN, OverHttp

from .backendcases import BackendCases


class RemoteTests(BackendCases):
    def setUp(self) -> None:
        super().setUp()
        self.backend = OverHttp(self.clock, self.treq, "http://proxy.example")

    def test_noted(self) -> None:
        """The audit log has the browser behind the pages, beside what is known."""
        self.done(self.api().ask("GET", "/projects"))
        action, _, _, details = self.notes.events[-1]
        self.assertEqual((action, details["origin"]), ("project.list", "admin-ui"))
        self.assertEqual((details["user_agent"], details["forwarded_user_agent"]), ("llmproxy-admin-ui", "a browser"))

    def test_at_once(self) -> None:
        """Several calls are asked at once, and answered in their order."""
        api = self.api()
        found = self.done(api.gather(api.ask("GET", "/projects"), api.ask("GET", "/tokens"), api.who()))
        self.assertEqual((found[0].value, found[1].value, found[2].role), ([], [], "owner"))
        api.done()


del BackendCases


class Response:
    """An answer that a test writes piece by piece."""

    def __init__(self, code: int = 200, kind: str = "application/json", **fields: str) -> None:
        self.code = code
        self.headers = Headers({"content-type": [kind], **{name.replace("_", "-"): [v] for name, v in fields.items()}})
        self.paused = False
        self.stopped = False
        self.protocol: Any = None

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


class Proxy:
    """A proxy that answers as a test wants."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def request(self, method: str, url: str, **arguments: Any) -> Deferred[Any]:
        self.asked = (method, url, arguments)
        answer = self.answers.pop(0)
        if isinstance(answer, Deferred):
            return answer
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)


class FaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def asking(self, *answers: Any) -> Deferred[Any]:
        self.proxy = Proxy(*answers)
        api = OverHttp(self.clock, self.proxy, "http://proxy.example").api("secret", Browser())
        return Deferred.fromCoroutine(api.ask("GET", "/self"))

    def error(self, asking: Deferred[Any]) -> ApiError:
        error: ApiError = self.failureResultOf(asking, ApiError).value  # type: ignore[assignment]
        return error

    def test_away(self) -> None:
        """A proxy that is not there is no fault of the pages."""
        self.assertEqual(self.error(self.asking(ConnectionRefusedError())).status, 502)

    def test_silent(self) -> None:
        """One that says nothing is not waited for without end."""
        asking = self.asking(Deferred())
        self.clock.advance(WITHIN)
        error = self.error(asking)
        self.assertEqual((error.status, error.description), (502, "it does not answer in time"))

    def test_something_else(self) -> None:
        """What answers in HTML is not the API."""
        for code, status, words in ((200, 502, "management API"), (502, 502, "status 502"), (302, 302, "status 302")):
            response = Response(code, "text/html")
            asking = self.asking(response)
            response.protocol.dataReceived(b"<html>")
            response.protocol.connectionLost(Failure(ResponseDone()))
            error = self.error(asking)
            self.assertEqual(error.status, status, code)
            self.assertIn(words, str(error), code)
        self.assertEqual(self.proxy.asked[2]["allow_redirects"], False)

    def test_broken_off(self) -> None:
        """A part of an answer is not taken for the whole."""
        response = Response()
        asking = self.asking(response)
        response.protocol.dataReceived(b"[")
        response.protocol.connectionLost(Failure(ConnectionRefusedError()))
        self.assertIn("broke off", str(self.error(asking)))

    def test_too_long(self) -> None:
        """An answer that is longer than any is not held."""
        response = Response()
        asking = self.asking(response)
        response.protocol.dataReceived(b"x" * (MAX_BODY + 1))
        self.assertEqual(self.error(asking).code, "too_long")
        self.assertTrue(response.stopped)

    def test_as_fast_as_it_is_taken(self) -> None:
        """Of a stream no more is read than somebody takes, and it is ended by who leaves."""
        response = Response(kind="text/event-stream")
        streamed = self.successResultOf(self.asking(response)).value
        pieces = streamed.pieces()
        first: Deferred[bytes] = Deferred.fromCoroutine(pieces.__anext__())
        response.protocol.dataReceived(b"one")
        self.assertEqual(self.successResultOf(first), b"one")
        self.assertTrue(response.paused)
        second: Deferred[bytes] = Deferred.fromCoroutine(pieces.__anext__())
        self.assertFalse(response.paused)
        response.protocol.dataReceived(b"two")
        self.assertEqual(self.successResultOf(second), b"two")
        self.successResultOf(Deferred.fromCoroutine(pieces.aclose()))
        self.assertTrue(response.stopped)
