"""Requests checked against the rules of one API, on any responder."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.composition import chain
from llmproxy.errors import EndpointNotFound, MethodNotAllowed, OriginNotAllowed, ParamNotAllowed
from llmproxy.middleware.checking.inspection import Inspection
from llmproxy.middleware.validation import RequestValidation
from llmproxy.net.timers import TimerWheel

from .fakes import Inner, a_request, an_api

POLICY = {
    "allowed_methods": ["POST"],
    "allowed_endpoints": ["/v1/chat"],
    "allowed_origins": ["https://ours.example"],
    "param_whitelist": {"model": ["gpt-4o*"]},
}
JSON = [(b"Content-Type", b"application/json")]


class ValidationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.inner = Inner()
        clock = Clock()
        self.api = an_api("own", POLICY)
        self.respond = chain(self.inner, RequestValidation(Inspection(clock, TimerWheel(clock)), self.api))

    def test_refused(self) -> None:
        """What breaks a rule fails with the fault of the proxy, and reaches nobody."""
        for error, request in (
            (MethodNotAllowed, a_request(b"DELETE", b"/v1/chat")),
            (EndpointNotFound, a_request(b"POST", b"/v1/images")),
            (OriginNotAllowed, a_request(b"POST", b"/v1/chat", [(b"Origin", b"https://other.example")])),
            (ParamNotAllowed, a_request(b"POST", b"/v1/chat", JSON, BytesBody(b'{"model": "o1"}'))),
        ):
            with self.subTest(error=error):
                self.failureResultOf(self.respond(request), error)
        self.assertEqual(self.inner.requests, [])

    def test_allowed(self) -> None:
        """What keeps to the rules goes on as the same bytes, with the route that it was checked by."""
        request = a_request(b"POST", b"/v1/chat?x=1", JSON, BytesBody(b'{"model": "gpt-4o-mini"}'))
        self.respond(request)
        (passed,) = self.inner.requests
        self.assertIs(passed.route.api, self.api)
        self.assertEqual(
            (passed.route.path, passed.route.endpoint, passed.target), (b"/v1/chat", "/v1/chat", b"/v1/chat?x=1")
        )
        self.assertEqual(passed.body.content, b'{"model": "gpt-4o-mini"}')  # type: ignore[union-attr]

    def test_inside_of_route(self) -> None:
        """A request that has a route is checked by these rules and keeps its route."""
        other = an_api("other")
        request = a_request(b"POST", b"/v1/chat", api=other)
        self.respond(request)
        self.assertIs(self.inner.requests[0].route.api, other)
        self.failureResultOf(self.respond(a_request(b"POST", b"/v1/x", api=other)), EndpointNotFound)
