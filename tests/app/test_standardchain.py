"""The order of the chain; the table in docs/architecture.md is the same, for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app import standardchain
from llmproxy.app.standardchain import standard_chain
from llmproxy.composition import after, before
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.middleware.authenticate import Authenticate
from llmproxy.net.timers import TimerWheel
from tests.middleware.fakes import FakeDirectory

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "Authenticate": "authenticate", "ErrorResponses": "errorresponses",
         "RouteRequest": "route", "DebugFields": "debug", "Restrict": "restrict",
         "Limit": "quota", "Attempts": "attempts",
         "Credential": "credential", "Deadlines": "deadline", "Cors": "cors"}  # fmt: skip


class StandardChainTests(SynchronousTestCase):
    def order(self, cache: Any = None, **api: Any) -> list[str]:
        """What stands in the chain, outermost first, by the names of the document."""
        seen: list[Any] = []
        self.patch(standardchain, "chain", lambda responder, *middlewares: seen.extend(middlewares))
        provider = APIProviderConfig(
            base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"], dialect="openai", **api
        )
        parts: dict[str, Any] = {"account": "recordexchanges", "gate": "(gate)"}
        parts["authenticate"] = Authenticate(Clock(), FakeDirectory())
        table = APIConfig({"x": provider}, "x").routing_table()
        others: dict[str, Any] = {
            "quota": None,
            "breaker": "breaker",
            "wheel": TimerWheel(Clock()),
            "inspection": None,
            "attribution": "attribution",
            "cache": cache,
            "meter": "meter",
        }
        standard_chain(None, table=table, **parts, **others)  # type: ignore[arg-type]
        return [each if isinstance(each, str) else NAMES[type(each).__name__] for each in seen]

    def test_document(self) -> None:
        """Everything that can stand in the chain does so in the order of the document."""
        lines = (ROOT / "docs/architecture.md").read_text().splitlines()
        cells = [line.split("|")[1].strip().strip("`") for line in lines if line.startswith("| ")]
        whole = self.order("cache", allowed_origins=["https://a.test"], debug_headers=True)
        self.assertEqual(len(whole), 16)
        self.assertEqual([name for name in cells if name in whole], whole)

    def test_left_out(self) -> None:
        """What no API has asked for costs no request anything."""
        whole = self.order("cache", allowed_origins=["https://a.test"], debug_headers=True)
        self.assertEqual(set(whole) - set(self.order()), {"cache", "cors", "debug"})

    def test_near(self) -> None:
        """The meter hears answers where they come from, unless something of an application may change them before."""
        nothing = Quiet()
        rows = (
            ((), True),
            ((before("meter", nothing),), True),
            ((after("deadlines", nothing), before("cache", nothing)), True),
            ((after("meter", nothing),), False),
            ((before("attempts", nothing),), False),
            ((after("breaker", nothing),), False),
            ((before("deadlines", nothing),), False),
        )
        for placed, expected in rows:
            self.assertEqual(not standardchain._changes_answers(placed), expected, placed)


class Quiet:
    def respond(self, request: Any, inner: Any) -> Any:
        return inner(request)
