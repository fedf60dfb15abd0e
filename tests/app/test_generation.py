"""One generation by itself; tests/app/test_generations.py has several at once."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, BreakerConfig
from llmproxy.config.tracing import TracingConfig
from llmproxy.testing import MemoryProxy

from ..tables import row
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

    def test_traced(self) -> None:
        """A reload that says so has exchanges traced from then on, and named to upstream; another one ends that."""
        parent = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        config = APIConfig({"llm": a_config()}, "llm")
        proxy = MemoryProxy(config)
        for tracing, passed, calls in (
            (None, True, None),
            (TracingConfig(True, "continue"), False, 1),
            (TracingConfig(False), True, None),
        ):
            with row(tracing):
                proxy.proxy.swap(evolve(config, tracing=tracing))
                answer = proxy.request("GET", "/v1/models", fields=[parent])
                call = proxy.upstream.calls[-1]
                call.answer(200, b"{}")
                self.assertEqual(answer.status, 200)
                self.assertEqual(parent in call.fields, passed)
                record = proxy.records[-1]
                self.assertEqual(None if record.calls is None else len(record.calls), calls)
                self.assertEqual(record.trace and record.trace.parent_id, "00f067aa0ba902b7")
        self.successResultOf(proxy.stop())

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
