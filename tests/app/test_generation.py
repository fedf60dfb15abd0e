"""One generation by itself; tests/app/test_generations.py has several at once."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, BreakerConfig

from .embedded import a_config, embedded


class GenerationTests(SynchronousTestCase):
    def test_compiled_once(self) -> None:
        """Routes, clients and the chain know the same APIs: they are told apart by identity."""
        config = APIConfig({"a": a_config(), "b": a_config()}, "a")
        proxy = embedded(config=config, upstream_client=None)
        generation = proxy.generations.current
        self.assertEqual([api.name for api in generation.table.apis], list(generation.clients))
        self.assertIs(generation.table.match(b"/b/v1/x").api, generation.table.apis[1])  # type: ignore[union-attr]
        self.successResultOf(proxy.stopService())

    def test_guarded(self) -> None:
        """APIs without a breaker open no circuit that could be counted."""
        config = APIConfig({"a": a_config(), "b": a_config(breaker=BreakerConfig(enabled=False))}, "a")
        proxy = embedded(config=config)
        self.assertEqual(list(proxy.generations.current.guarded()), ["a"])
        self.assertEqual(proxy.metrics().openings, {"a": 0})
        self.successResultOf(proxy.stopService())

    def test_closed_twice(self) -> None:
        """All who close it wait for the same, also where a client takes its time."""
        proxy = embedded(upstream_client=None)
        generation = proxy.generations.current
        held: Deferred[None] = Deferred()
        client = generation.clients["llm"]
        self.patch(client, "close", lambda: held)
        first, second = generation.close(), generation.close()
        self.assertNoResult(first)
        held.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(proxy.stopService())
