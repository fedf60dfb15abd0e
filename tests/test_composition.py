"""Tests for L{llmproxy.composition}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.composition import after, arranged, before, chain
from llmproxy.errors import BadRequest, ConfigError
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


class ArrangedTests(SynchronousTestCase):
    def test_places(self) -> None:
        """What stands before a place is further out than it, what stands after further in, empty places too."""
        here, a, b, c, d = (Note(name, []) for name in ("here", "a", "b", "c", "d"))
        standard = [("one", here), ("two", None)]
        placed = [after("two", d), before("one", a), after("one", b), before("two", c)]
        self.assertEqual(arranged(standard, placed), [a, here, b, c, d])

    def test_several(self) -> None:
        """They keep the order in which they are given, in one call or in several."""
        here, a, b, c = (Note(name, []) for name in ("here", "a", "b", "c"))
        for place, found in ((before, [a, b, c, here]), (after, [here, a, b, c])):
            self.assertEqual(arranged([("one", here)], [place("one", a, b), place("one", c)]), found)

    def test_no_such_place(self) -> None:
        """A place that is none is an error that names all there are."""
        error = self.assertRaises(ConfigError, arranged, [("one", None), ("two", None)], [before("three")])
        self.assertEqual(str(error), "middlewares: the chain has no place 'three'; it has one, two")

    def test_no_middleware(self) -> None:
        """What is none, or has no place, is refused when it is given, and not with the first request."""
        for wrong in (Note, object(), None, lambda request, inner: inner(request)):
            for place in (before, after):
                error = self.assertRaises(TypeError, place, "one", wrong)
                self.assertIn("is no middleware", str(error))
        error = self.assertRaises(TypeError, arranged, [("one", None)], [Note("unplaced", [])])
        self.assertIn("give before(name, …) or after(name, …)", str(error))
