"""Tests for L{llmproxy.web.health}."""

from __future__ import annotations

import json
from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from zope.interface import implementer

from llmproxy import __version__
from llmproxy.errors import Unavailable
from llmproxy.interfaces import IHealthCheck
from llmproxy.web.health import DRAINING, Health, Live, Ready


@implementer(IHealthCheck)
class Dependency:
    def __init__(self, name: str, outcome: Deferred[None]) -> None:
        self.name, self.outcome = name, outcome

    def check(self) -> Deferred[None]:
        return self.outcome


class OperationsTestCase(SynchronousTestCase):
    """Asks resources as a load balancer would."""

    def ask(self, path: str, method: str = "GET", **resources: Resource) -> tuple[Any, bytes]:
        root = Resource()
        for name, resource in resources.items():
            root.putChild(name.encode(), resource)
        self.treq = StubTreq(root)
        response = self.successResultOf(self.treq.request(method, f"http://proxy.example{path}"))
        return response, self.successResultOf(self.treq.content(response))


class HealthTests(OperationsTestCase):
    def test_health(self) -> None:
        """C{/health} tells the time and the version."""
        response, body = self.ask("/health", health=Health(lambda: 1_790_000_000.0))
        self.assertEqual(response.headers.getRawHeaders("content-type"), ["application/json"])
        self.assertEqual(
            json.loads(body), {"status": "ok", "timestamp": "2026-09-21T14:13:20Z", "version": __version__}
        )

    def test_live(self) -> None:
        """C{/live} answers as long as the process does."""
        response, body = self.ask("/live", live=Live())
        self.assertEqual((response.code, body), (200, b"alive\n"))

    def test_head(self) -> None:
        """HEAD is answered like GET, without content."""
        response, body = self.ask("/live", "HEAD", live=Live())
        self.assertEqual((response.code, body), (200, b""))

    def test_only_reading(self) -> None:
        """Nobody posts to a health check."""
        response, _ = self.ask("/live", "POST", live=Live())
        self.assertEqual(response.code, 405)
        self.assertEqual(sorted(response.headers.getRawHeaders("allow")[0].split(", ")), ["GET", "HEAD", "OPTIONS"])


class ReadyTests(OperationsTestCase):
    def test_ready(self) -> None:
        """Ready is when everything works."""
        ready = Ready([Dependency("database", succeed(None))], lambda: False)
        response, body = self.ask("/ready", ready=ready)
        self.assertEqual((response.code, body), (200, b"ready\n"))

    def test_warns(self) -> None:
        """What works worse is said in further lines, and is no reason to stay away."""
        ready = Ready([], lambda: False, lambda: ["redis://h/0: does not answer"])
        response, body = self.ask("/ready", ready=ready)
        self.assertEqual((response.code, body), (200, b"ready\nwarning: redis://h/0: does not answer\n"))

    def test_names_what_is_away(self) -> None:
        """An operator sees which dependency is away, and those that work are not named."""
        ready = Ready(
            [Dependency("database", fail(OSError("disk is gone"))), Dependency("redis", succeed(None))], lambda: False
        )
        response, body = self.ask("/ready", ready=ready)
        self.assertEqual(response.code, 503)
        self.assertEqual(json.loads(body), {"status": "not ready", "problems": {"database": "disk is gone"}})

    def test_says_sentences(self) -> None:
        """What is said is a sentence, whatever kind of error it comes from."""
        for error, words in (
            (Unavailable("it does not answer"), "it does not answer"),
            (Unavailable(), "Service temporarily unavailable"),
            (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
            (ZeroDivisionError(), "ZeroDivisionError"),
        ):
            ready = Ready([Dependency("database", fail(error))], lambda: False)
            self.assertEqual(
                json.loads(self.ask("/ready", ready=ready)[1])["problems"], {"database": words}, (error, words)
            )

    def test_draining(self) -> None:
        """A proxy that stops asks for no more traffic, without asking its dependencies."""
        ready = Ready([Dependency("database", Deferred())], lambda: True)
        response, body = self.ask("/ready", ready=ready)
        self.assertEqual((response.code, json.loads(body)["problems"]), (503, {"proxy": DRAINING}))

    def test_asker_leaves(self) -> None:
        """A prober that gives up is no error of ours, and what was asked for it is cancelled."""
        cancelled: list[object] = []
        root = Resource()
        root.putChild(b"ready", Ready([Dependency("database", Deferred(cancelled.append))], lambda: False))
        treq = StubTreq(root)
        asking = treq.get("http://proxy.example/ready")
        asking.cancel()
        treq.flush()
        self.failureResultOf(asking)
        self.assertEqual(len(cancelled), 1)
