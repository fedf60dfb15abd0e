"""Tests for L{llmproxy.web.manage.breaker}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from llmproxy.core.circuits import CircuitState
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.manage.breaker import BreakerRoutes

from .api import ManageTestCase

CLOSED = CircuitState("openai", "p-1", "gpt-4o", "closed", 2, "status 503", 0.0, 7)
OPEN = CircuitState("openai", "p-2", "", "open", 5, "cannot be reached: the connection was refused", 12.34, 7)


class BreakerManageTestCase(ManageTestCase):
    """@ivar metrics: the numbers of all workers."""

    def setUp(self) -> None:
        self.metrics = ProxyMetrics()
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        routes = BreakerRoutes(lambda: succeed(self.metrics)).routes()
        return super().resource(projects, **{**more, "more": (routes, *more.get("more", ()))})


class BreakerTests(BreakerManageTestCase):
    def test_none(self) -> None:
        """As long as all is well there is nothing to show."""
        self.assertEqual(self.ask("GET", "/breaker").json, [])

    def test_open_ones_first(self) -> None:
        """What is not asked for now stands first, with the reason and when it is tried again."""
        self.metrics.circuits = lambda: [CLOSED, OPEN]
        first, second = self.ask("GET", "/breaker").json
        self.assertEqual(
            first,
            {
                "api": "openai",
                "project_id": "p-2",
                "model": None,
                "state": "open",
                "failures": 5,
                "reason": "cannot be reached: the connection was refused",
                "retry_after": 12.3,
                "process": 7,
            },
        )
        self.assertEqual((second["model"], second["state"], second["failures"]), ("gpt-4o", "closed", 2))
