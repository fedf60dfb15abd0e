"""Tests for L{llmproxy.middleware.route}."""

from __future__ import annotations

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.routing import RoutingTable
from llmproxy.errors import EndpointNotFound
from llmproxy.middleware.route import RouteRequest

from .fakes import Inner, a_request, an_api


class RouteRequestTests(SynchronousTestCase):
    def test_routes(self) -> None:
        """The layers further in see the API, and the target without its name."""
        table = RoutingTable([an_api("openai", {"allowed_endpoints": ["/v1/models"]})], None)
        inner = Inner()
        RouteRequest(table).respond(a_request(target=b"/openai/v1/models/x?y"), inner)
        [request] = inner.requests
        self.assertEqual((request.route.api.name, request.target), ("openai", b"/v1/models/x?y"))
        self.assertEqual((request.record.api, request.record.endpoint), ("openai", "/v1/models"))

    def test_nowhere(self) -> None:
        """A path of no API is not found."""
        inner = Inner()
        middleware = RouteRequest(RoutingTable([an_api("openai")], None))
        error = self.failureResultOf(middleware.respond(a_request(), inner), EndpointNotFound).value
        self.assertEqual(error.description, "/v1/chat/completions belongs to no API")
        self.assertEqual(inner.requests, [])

    def test_nowhere_for_those_with_a_token(self) -> None:
        """Who has a token that may be used reads which APIs there are; nobody else does."""
        table = RoutingTable([an_api("openai"), an_api("anthropic")], None)
        for known, said in (
            (True, "/v1/chat/completions belongs to no API; the APIs here are /openai/, /anthropic/"),
            (False, "/v1/chat/completions belongs to no API"),
        ):
            middleware = RouteRequest(table, lambda _, known=known: succeed(known))  # type: ignore[misc]
            error = self.failureResultOf(middleware.respond(a_request(), Inner()), EndpointNotFound).value
            self.assertEqual(error.description, said, (known, said))
