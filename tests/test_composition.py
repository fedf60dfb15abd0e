"""Tests for L{llmproxy.composition}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.composition import chain
from llmproxy.errors import BadRequest
from llmproxy.interfaces import Responder
from llmproxy.message import ApiRequest, ApiResponse, Record


def a_request() -> ApiRequest:
    return ApiRequest(b"GET", b"/", [], None, Record("id", "GET", "/", "192.0.2.1", 0.0))


class Note:
    """Writes down when a request and its response pass."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        self.notes.append(f"{self.name} in")

        def back(response: ApiResponse) -> ApiResponse:
            self.notes.append(f"{self.name} out")
            return response

        return inner(request).addCallback(back)


class Refuse:
    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        raise BadRequest("no")


class ChainTests(SynchronousTestCase):
    def test_order(self) -> None:
        """The first middleware is the outermost: it sees the request first and the response last."""
        notes: list[str] = []
        response = ApiResponse(200, b"OK", [])
        respond = chain(lambda request: succeed(response), Note("outer", notes), Note("inner", notes))
        self.assertIs(self.successResultOf(respond(a_request())), response)
        self.assertEqual(notes, ["outer in", "inner in", "inner out", "outer out"])

    def test_raised(self) -> None:
        """What a middleware raises reaches those further out as a failure."""
        notes: list[str] = []
        respond = chain(lambda request: self.fail("reached the responder"), Note("outer", notes), Refuse())
        self.failureResultOf(respond(a_request()), BadRequest)
        self.assertEqual(notes, ["outer in"])

    def test_empty(self) -> None:
        """Without middlewares the responder answers by itself."""
        response = ApiResponse(204, b"", [])
        self.assertIs(self.successResultOf(chain(lambda request: succeed(response))(a_request())), response)
