"""Tests for L{llmproxy.composition}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.composition import Middleware, Watched, after, arranged, before, chain
from llmproxy.errors import BadRequest, ConfigError
from llmproxy.interfaces import Responder
from llmproxy.message import ApiRequest, ApiResponse, Record

from .tables import row


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


Answers = Callable[[ApiRequest, Responder], object]
"""What a middleware of an application does with a request."""


def unwatched(middlewares: list[Middleware]) -> list[Middleware]:
    """Those of an application as it gave them."""
    return [each.middleware if isinstance(each, Watched) else each for each in middlewares]


class Does:
    """A middleware of one function."""

    def __init__(self, respond: Answers) -> None:
        self.respond: Any = respond

    def __repr__(self) -> str:
        return "<Does>"


class Stopped(BytesBody):
    """Counts how often it is stopped."""

    stops = 0

    def stopProducing(self) -> None:
        self.stops += 1


async def _asynchronous(request: ApiRequest, inner: Responder) -> ApiResponse:
    response = await inner(request)
    return ApiResponse(201, response.reason, response.fields, response.body)


def _raised(response: ApiResponse) -> ApiResponse:
    raise KeyError(response.status)


class WatchedTests(SynchronousTestCase):
    def responding(self, does: Answers) -> Deferred[ApiResponse]:
        self.body = Stopped(b"answer")
        [watched] = arranged([("one", None)], [after("one", Does(does))])
        return chain(lambda request: succeed(ApiResponse(200, b"OK", [], self.body)), watched)(a_request())

    def test_answers(self) -> None:
        """A Deferred, a coroutine and a bare response are responses, and a body that is passed on is left alone."""
        answers: list[tuple[int, Answers]] = [
            (200, lambda request, inner: inner(request)),
            (201, _asynchronous),
            (204, lambda request, inner: ApiResponse(204, b"", [])),
        ]
        for status, does in answers:
            with self.subTest(status=status):
                self.assertEqual(self.successResultOf(self.responding(does)).status, status, (status, does))
                self.assertEqual(self.body.stops, 0, (status, does))

    def test_no_answer(self) -> None:
        """What is no response is an error that names the middleware and says what it should have been."""
        for does in (
            lambda request, inner: None,
            lambda request, inner: succeed(None),
            lambda request, inner: b"hello",
            lambda request, inner: (200, [], b""),
        ):
            error = self.failureResultOf(self.responding(does), TypeError).getErrorMessage()
            self.assertIn("<Does> answered with", error)
            self.assertIn("an ApiResponse is what respond() returns", error)
            self.assertEqual(self.body.stops, 0, does)

    def test_stopped(self) -> None:
        """A response from further in that a failing middleware held is stopped: nothing stays open upstream."""
        for does in (
            lambda request, inner: inner(request).addCallback(_raised),
            lambda request, inner: inner(request).addCallback(lambda response: None),
            lambda request, inner: inner(request) and None,
        ):
            self.failureResultOf(self.responding(does))
            self.assertEqual(self.body.stops, 1, does)

    def test_fields(self) -> None:
        """A field that is no pair of bytes, or would begin another on the wire, is an error, in both directions."""
        for wrong in (
            ("X-A", "1"),
            (b"X-A", "1"),
            (b"X-A", b"1\r\nEvil: 1"),
            (b"X-A", b"1\n"),
            (b"X-A", b"\0"),
            (b"X\r\nEvil", b"1"),
            (b"X A", b"1"),
            (b"X:", b"1"),
            (b"", b"1"),
        ):

            def answers(response: ApiResponse, wrong: Any = wrong) -> ApiResponse:
                response.fields = [*response.fields, wrong]
                return response

            def asks(request: ApiRequest, inner: Responder, wrong: Any = wrong) -> Deferred[ApiResponse]:
                request.fields = [*request.fields, wrong]
                return inner(request)

            with self.subTest(wrong=wrong):
                reason = self.failureResultOf(
                    self.responding(lambda request, inner: inner(request).addCallback(answers)), TypeError
                )
                self.assertIn("the field", reason.getErrorMessage())
                self.assertEqual(self.body.stops, 1, wrong)
                self.failureResultOf(self.responding(asks), TypeError)

    def test_good_fields(self) -> None:
        """What a field can hold passes, an empty value and bytes that are no ASCII too."""

        def answers(response: ApiResponse) -> ApiResponse:
            response.fields = [(b"X-A", b""), (b"X-B", "caf\u00e9\t".encode())]
            return response

        response = self.successResultOf(self.responding(lambda request, inner: inner(request).addCallback(answers)))
        self.assertEqual(len(response.fields), 2)

    def test_late(self) -> None:
        """A response that comes when the middleware has failed already is stopped, too; its failure is the outcome."""
        late: Deferred[ApiResponse] = Deferred()

        def does(request: ApiRequest, inner: Responder) -> None:
            inner(request)

        [watched] = arranged([("one", None)], [after("one", Does(does))])
        self.failureResultOf(chain(lambda request: late, watched)(a_request()), TypeError)
        body = Stopped(b"answer")
        late.callback(ApiResponse(200, b"OK", [], body))
        self.assertEqual(body.stops, 1)

    def test_cancelled(self) -> None:
        """A client that leaves cancels what runs further in, through an C{async def} as well."""
        ways: list[Answers] = [lambda request, inner: inner(request), _asynchronous]
        for does in ways:
            left: list[object] = []
            running: Deferred[ApiResponse] = Deferred(left.append)
            [watched] = arranged([("one", None)], [after("one", Does(does))])
            responding = chain(lambda request, running=running: running, watched)(a_request())
            responding.cancel()
            self.failureResultOf(responding, CancelledError)
            self.assertEqual(left, [running], does)


class ArrangedTests(SynchronousTestCase):
    def test_places(self) -> None:
        """What stands before a place is further out than it, what stands after further in, empty places too."""
        here, a, b, c, d = (Note(name, []) for name in ("here", "a", "b", "c", "d"))
        standard = [("one", here), ("two", None)]
        placed = [after("two", d), before("one", a), after("one", b), before("two", c)]
        self.assertEqual(unwatched(arranged(standard, placed)), [a, here, b, c, d])

    def test_several(self) -> None:
        """They keep the order in which they are given, in one call or in several."""
        here, a, b, c = (Note(name, []) for name in ("here", "a", "b", "c"))
        for place, found in ((before, [a, b, c, here]), (after, [here, a, b, c])):
            self.assertEqual(
                unwatched(arranged([("one", here)], [place("one", a, b), place("one", c)])), found, (place, found)
            )

    def test_no_such_place(self) -> None:
        """A place that is none is an error that names all there are."""
        error = self.assertRaises(ConfigError, arranged, [("one", None), ("two", None)], [before("three")])
        self.assertEqual(str(error), "middlewares: the chain has no place 'three'; it has one, two")

    def test_no_middleware(self) -> None:
        """What is none, or has no place, is refused when it is given, and not with the first request."""
        for wrong in (Note, object(), None, lambda request, inner: inner(request)):
            for place in (before, after):
                with row(wrong, place):
                    error = self.assertRaises(TypeError, place, "one", wrong)
                self.assertIn("is no middleware", str(error))
        error = self.assertRaises(TypeError, arranged, [("one", None)], [Note("unplaced", [])])
        self.assertIn("give before(name, …) or after(name, …)", str(error))
