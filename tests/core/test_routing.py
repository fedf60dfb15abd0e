"""Tests for L{llmproxy.core.routing}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.policy import Policy
from llmproxy.core.routing import OWN, RESERVED, RoutingTable
from llmproxy.message import Api
from llmproxy.origin import Origin, Timeouts, Upstream

from ..tables import row


def an_api(name: str, *endpoints: str) -> Api:
    return Api(
        name,
        (Upstream(Origin("https", "api.example", 443, b"api.example")),),
        "proxy",
        Timeouts(),
        Policy.compile(allowed_methods=[], allowed_endpoints=endpoints),
    )


class MatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = RoutingTable([an_api("openai", "/v1/models"), an_api("anthropic")], "openai")

    def test_table(self) -> None:
        """Each API is served below its name, the default one at the root too, and the bytes stay as they came."""
        table = (
            # target, API, target relative to it, path, endpoint
            (b"/v1/models", "openai", b"/v1/models", b"/v1/models", "/v1/models"),
            (b"/v1/models?a=/b?c", "openai", b"/v1/models?a=/b?c", b"/v1/models", "/v1/models"),
            (b"/openai/v1/models/x", "openai", b"/v1/models/x", b"/v1/models/x", "/v1/models"),
            (b"/anthropic/v1/a%2Fb//c?", "anthropic", b"/v1/a%2Fb//c?", b"/v1/a%2Fb//c", ""),
            (b"/anthropic", "anthropic", b"/", b"/", ""),
            (b"/anthropic?x=1", "anthropic", b"/?x=1", b"/", ""),
            (b"/anthropic/", "anthropic", b"/", b"/", ""),
            (b"/Anthropic/v1", "openai", b"/Anthropic/v1", b"/Anthropic/v1", ""),
            (b"/v1/elsewhere", "openai", b"/v1/elsewhere", b"/v1/elsewhere", ""),
            (b"/", "openai", b"/", b"/", ""),
        )
        for target, api, relative, path, endpoint in table:
            route = self.table.match(target)
            assert route is not None, target
            self.assertEqual(
                (route.api.name, route.target, route.path, route.endpoint), (api, relative, path, endpoint), target
            )

    def test_named(self) -> None:
        """An API is found by exactly its name."""
        found = self.table.named("anthropic")
        self.assertEqual(found and found.name, "anthropic")
        self.assertIsNone(self.table.named("Anthropic"))

    def test_listed(self) -> None:
        """Who may know reads where each API is."""
        table = RoutingTable([an_api("openai"), an_api("anthropic")], "openai")
        self.assertEqual(table.listed(), "the APIs here are /openai/ (and at /), /anthropic/")

    def test_no_default(self) -> None:
        """Without a default API, only the names lead anywhere."""
        table = RoutingTable([an_api("openai")], None)
        self.assertIsNone(table.match(b"/v1/models"))
        self.assertIsNotNone(table.match(b"/openai/v1/models"))

    def test_no_path(self) -> None:
        """What is not a path belongs to no API."""
        self.assertIsNone(self.table.match(b"*"))
        self.assertIsNone(self.table.match(b""))

    def test_reserved(self) -> None:
        """Nothing takes management's place."""
        self.assertEqual(RESERVED, {"manage", "admin"})


class ClaimTests(SynchronousTestCase):
    """Whose a path is that the proxy has too."""

    def test_claims(self) -> None:
        """An API of that name comes first, then a plain endpoint of the default one; nothing else claims anything."""
        table = RoutingTable(
            [
                an_api("openai", "/v1/models", "/health/", "/metrics/prometheus", "/us*ge", "/", "/re%61dy"),
                an_api("live", "/v1"),
                an_api("other", "/usage"),
            ],
            "openai",
        )
        for path, name in (
            (b"/health", "openai"),
            (b"/health/deep", "openai"),
            (b"/healthz", None),
            (b"/metrics", None),
            (b"/metrics/prometheus", "openai"),
            (b"/metrics/prometheus/x", "openai"),
            (b"/usage", None),
            (b"/ready", "openai"),
            (b"/health/../x", None),
            (b"/live", "live"),
            (b"/live/v1/models", "live"),
            (b"/livez", None),
            (b"/", None),
        ):
            with row(self, path):
                api = table.claimant(path)
                self.assertEqual(api and api.name, name)

    def test_every_path(self) -> None:
        """An API that allows every path, or no default API, takes nothing from the proxy."""
        for table in (RoutingTable([an_api("openai")], "openai"), RoutingTable([an_api("openai", "/usage")], None)):
            with row(self, table.listed()):
                self.assertEqual([name for name in OWN if table.claimant(f"/{name}".encode())], [])
