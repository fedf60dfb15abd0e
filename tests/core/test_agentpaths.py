"""Tests for L{llmproxy.core.agentpaths}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentpaths import (
    CODEX_MODELS,
    MODELS,
    PROTOCOL,
    TELEMETRY,
    is_codex,
    is_page,
    own_paths,
    sign_in_paths,
)
from llmproxy.core.routing import RoutingTable
from llmproxy.message import Api
from llmproxy.origin import CredentialPlace

from ..web.test_usage import an_api


def api(name: str, *endpoints: str) -> Api:
    return an_api(name, CredentialPlace("header", b"x-api-key", b""), *endpoints)


class OwnPathsTests(SynchronousTestCase):
    def paths(
        self, table: RoutingTable, default: str, claude: str | None, codex: str | None, *kinds: str
    ) -> set[bytes]:
        return set(own_paths(table, default, claude, codex, kinds))

    def test_bases(self) -> None:
        """They are below the API's own address, and at the root for the default one alone."""
        table = RoutingTable([api("anthropic", "/v1/messages"), api("openai", "/v1/responses")], "anthropic")
        self.assertEqual(
            self.paths(table, "anthropic", "anthropic", None, PROTOCOL), {b"/protocol", b"/anthropic/protocol"}
        )
        self.assertEqual(self.paths(table, "anthropic", "openai", None, PROTOCOL), {b"/openai/protocol"})
        self.assertEqual(
            self.paths(table, "anthropic", None, "openai", CODEX_MODELS), {b"/openai/models", b"/openai/v1/models"}
        )
        self.assertEqual(self.paths(table, "anthropic", None, None, PROTOCOL), set())
        self.assertEqual(self.paths(table, "anthropic", "gone", None, PROTOCOL), set())

    def test_giving_way(self) -> None:
        """An endpoint that the API names is the API's, and so is what is below the name of an API."""
        table = RoutingTable([api("a", "/v1/models", "/v1/traces"), api("protocol", "/v1")], "a")
        self.assertEqual(
            self.paths(table, "a", "a", None, PROTOCOL, MODELS, TELEMETRY),
            {b"/a/protocol", b"/v1/metrics", b"/v1/logs", b"/a/v1/metrics", b"/a/v1/logs"},
        )
        everything = RoutingTable([api("a", "/v1/*")], "a")
        self.assertIn(b"/v1/models", self.paths(everything, "a", "a", None, MODELS))

    def test_places(self) -> None:
        """Each knows what it is, and where."""
        table = RoutingTable([api("a", "/x")], "a")
        found = own_paths(table, "a", "a", None, [TELEMETRY])[b"/a/v1/logs"]
        self.assertEqual((found.kind, found.base, found.name), (TELEMETRY, "/a", "/v1/logs"))


class IsCodexTests(SynchronousTestCase):
    def test_table(self) -> None:
        for query, expected in (
            (b"client_version=0.171.0", True),
            (b"a=b&client_version=0", True),
            (b"", False),
            (b"xclient_version=0", False),
        ):
            self.assertEqual(is_codex(query), expected, query)


class SignInPathsTests(SynchronousTestCase):
    def test_paths(self) -> None:
        """At the root, and below the base URL of Claude Code; described where RFC 8414 looks for it too."""
        table = RoutingTable([api("anthropic"), api("openai")], "openai")
        found = {path.decode(): place.base for path, place in sign_in_paths(table, "anthropic").items()}
        described = "/.well-known/oauth-authorization-server"
        expected = dict.fromkeys((described, "/oauth/device_authorization", "/oauth/token", "/oauth/revoke"), "")
        below = {f"/anthropic{path}": "/anthropic" for path in expected}
        self.assertEqual(found, expected | below | {f"{described}/anthropic": "/anthropic"})
        self.assertEqual(len(sign_in_paths(table, None)), 4)

    def test_endpoints_of_the_api(self) -> None:
        """What the API says is its own stays so."""
        table = RoutingTable([api("anthropic", "/oauth/token"), api("openai")], "openai")
        self.assertNotIn(b"/anthropic/oauth/token", sign_in_paths(table, "anthropic"))

    def test_pages(self) -> None:
        for path, expected in ((b"/device", True), (b"/device/decide", True), (b"/devices", False), (b"/", False)):
            self.assertEqual(is_page(path), expected, path)
