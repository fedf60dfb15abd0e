"""Lists of tokens and projects through a whole proxy in memory: what a caller gets who may not use something."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import CacheConfig
from llmproxy.message import Principal
from llmproxy.usagelimits import UsageLimits
from tests.harness import SECRET, Exchange, a_request
from tests.tables import row

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class PermittedTests(SynchronousTestCase):
    def begin(self, limits: UsageLimits, **api: Any) -> Exchange:
        exchange = Exchange(**api)
        self.limit(exchange, limits)
        return exchange

    def limit(self, exchange: Exchange, limits: UsageLimits) -> None:
        """Have the token say so from now on."""
        known = exchange.directory.known
        principal = known[SECRET]
        known[SECRET] = Principal(evolve(principal.token, limits=limits, name="ci"), principal.project)

    def test_shapes(self) -> None:
        """The refusal is a 403 in the shape that the caller's SDK raises, with the list and whose it is."""
        for dialect, path in (
            ("openai", ("error", "message")),
            ("anthropic", ("error", "message")),
            ("gemini", ("error", "message")),
            ("proxy", ("description",)),
        ):
            with row(dialect):
                exchange = self.begin(UsageLimits(models=("gpt-4o*",)), dialect=dialect)
                client = exchange.client()
                client.receive(a_request(b"/v1/x", b"Content-Type: application/json", body=b'{"model":"o3"}'))
                exchange.turn()
                head, _, body = client.take().partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 403"), head)
                said = json.loads(body)
                for name in path:
                    said = said[name]
                self.assertIn("'o3' is not among models of the token 'ci': gpt-4o*", said)
                self.assertEqual((exchange.upstream, exchange.quota.balance), ([], 0))
                self.assertEqual(exchange.records[0].error_code, "model_not_allowed")

    def test_allowed(self) -> None:
        """What is allowed goes upstream with the same bytes, and uses up one request."""
        exchange = self.begin(UsageLimits(models=("gpt-4o*",), apis=("api",), endpoints=("/v1/x",)))
        client = exchange.client()
        client.receive(a_request(b"/v1/x", b"Content-Type: application/json", body=b'{ "model":"gpt-4o-mini"}'))
        exchange.turn()
        self.assertTrue(exchange.upstream[0].take().endswith(b'\r\n\r\n{ "model":"gpt-4o-mini"}'))
        exchange.upstream[0].receive(OK)
        self.assertTrue(client.take().startswith(b"HTTP/1.1 200"))
        self.assertEqual(exchange.quota.balance, 1)

    def test_client_left(self) -> None:
        """A client that leaves while its body is read for its model leaves nothing behind."""
        exchange = self.begin(UsageLimits(models=("gpt-4o*",)))
        client = exchange.client()
        sent = a_request(b"/v1/x", b"Content-Type: application/json", body=b'{"model":"gpt-4o"}')
        client.receive(sent[:-5])
        self.assertGreater(exchange.inspection.budget.used, 0)
        client.close()
        self.assertEqual(exchange.inspection.budget.used, 0)
        self.assertTrue(exchange.idle())

    def test_list_of_models(self) -> None:
        """The cache holds one list for all; each caller sees its own part of it, and who may use all the very bytes."""
        whole = b'{"data": [{"id": "gpt-4o"}, {"id": "o3"}]}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: public, max-age=60\r\n"
        exchange = self.begin(UsageLimits(), cached=True, cache=CacheConfig(enabled=True), filter_models=True)
        for limits, expected in (
            (UsageLimits(models=("gpt-4o*",)), b'{"data":[{"id": "gpt-4o"}]}'),
            (UsageLimits(models=("o3",)), b'{"data":[{"id": "o3"}]}'),
            (UsageLimits(), whole),
        ):
            with row(limits.models):
                self.limit(exchange, limits)
                client = exchange.client()
                client.receive(a_request(b"/v1/models", b"Accept-Encoding: identity"))
                if not exchange.records:
                    exchange.upstream[0].receive(answer + b"Content-Length: %d\r\n\r\n" % len(whole) + whole)
                exchange.turn()
                self.assertTrue(client.sent.endswith(b"\r\n\r\n" + expected), client.sent)
        self.assertEqual((len(exchange.upstream), len(exchange.records)), (1, 3))
