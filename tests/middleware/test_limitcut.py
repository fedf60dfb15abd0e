"""Tests of L{llmproxy.middleware.limitcut}, with all of the proxy around it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twisted.internet.defer import Deferred

from llmproxy.core.limits.values import PICO
from llmproxy.core.limits.verdicts import Part
from llmproxy.core.pricing.rules import PriceRule
from llmproxy.core.pricing.tariff import Price

from ..harness import a_request
from ..tables import row
from .test_limits import PRICES, Case, a_chat

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def words(count: int) -> bytes:
    """An event that counts as so many tokens."""
    return b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"abc" * count)


def used(tokens_in: int, tokens_out: int) -> bytes:
    return b'data: {"choices":[],"model":"m","usage":{"prompt_tokens":%d,"completion_tokens":%d}}\n\n' % (
        tokens_in,
        tokens_out,
    )


class HardBudgetTests(Case):
    """A token is a USD; 4,096 are reserved for an answer that may have any number."""

    def begin(self, budget: int = 4200, request: bytes = b"", **limits: Any) -> None:
        self.start(**{"max_budget": Decimal(budget), "hard_budget": True, "max_parallel_requests": 9, **limits})
        self.ask(request or a_chat())
        self.reserved = budget - self.left("money") // PICO
        self.upstream().take()
        self.upstream().receive(STREAM)

    def feed(self, *events: bytes) -> None:
        for event in events:
            self.upstream().receive(chunked(event))

    def test_cut(self) -> None:
        """The event that is too much is not passed on; all before it is, byte by byte; nothing stays held."""
        self.begin()
        room = 4200 - (self.reserved - 4096)
        first, second = words(4096), words(room - 4096)
        self.feed(first, second)
        self.assertEqual(self.left("money"), 0)
        self.assertEqual(self.client.state, "open")
        self.feed(words(1), words(1))
        _, _, body = self.client.take().partition(b"\r\n\r\n")
        self.assertEqual(body, chunked(first) + chunked(second))
        self.assertEqual(self.client.state, "closed")
        self.assertEqual(self.upstream().state, "aborted")
        record = self.exchange.records[-1]
        self.assertEqual((record.ended, record.error_code, record.status), ("refused", "budget_exceeded", 200))
        self.assertEqual((self.left("money"), self.left("parallel")), (0, 9))

    def test_settled(self) -> None:
        """A stream that ends is settled with what it says, whatever was reserved beyond."""
        self.begin(9000)
        self.feed(words(5000), used(10, 4000), b"data: [DONE]\n\n")
        self.assertLess(self.left("money"), (9000 - 5000) * PICO)
        self.upstream().receive(b"0\r\n\r\n")
        self.assertTrue(self.client.take().endswith(b"\r\n0\r\n\r\n"))
        self.assertEqual((self.left("money"), self.exchange.records[-1].ended), ((9000 - 4010) * PICO, "complete"))

    def test_client_leaves(self) -> None:
        """What was reserved beyond counts as used, as what was reserved at first does."""
        self.begin(9000)
        self.feed(words(5000))
        self.client.close()
        self.assertLessEqual(self.left("money"), (9000 - 5000) * PICO)
        self.assertGreater(self.left("money"), (9000 - 5600) * PICO)
        self.assertEqual(self.left("parallel"), 9)

    def test_others(self) -> None:
        """No stream of a soft budget, none within what it asked for, and nothing that is no stream is cut."""
        rows: dict[str, tuple[dict[str, Any], bytes, bytes]] = {
            "not hard": ({"hard_budget": False}, a_chat(), STREAM),
            "allowed": ({}, a_chat(max_tokens=4000), STREAM),
            "no stream": ({}, a_chat(), STREAM.replace(b"text/event-stream", b"application/json")),
            "sound": ({}, a_chat(), STREAM.replace(b"text/event-stream", b"audio/mpeg")),
        }
        for name, (limits, request, head) in rows.items():
            with row(name):
                self.start(**{"max_budget": Decimal(4200), "hard_budget": True, "max_parallel_requests": 9, **limits})
                self.assertEqual(self.ask(request), b"")
                self.upstream().receive(head)
                self.feed(words(6000), words(1))
                self.upstream().receive(b"0\r\n\r\n")
                said = self.client.take()
                self.assertTrue(said.endswith(chunked(words(6000)) + chunked(words(1)) + b"0\r\n\r\n"))
                self.assertEqual(self.left("parallel"), 9)

    def test_two_share(self) -> None:
        """Two that run at once do not spend the same: the budget is not passed."""
        self.begin(9000)
        other = self.exchange.client()
        self.ask(a_chat(), other)
        second = self.upstream()
        second.receive(STREAM)
        for _ in range(10):
            for upstream in (self.exchange.upstream[0], second):
                if upstream.state == "open":
                    upstream.receive(chunked(words(600)))
        self.assertEqual([record.error_code for record in self.exchange.records], ["budget_exceeded"] * 2)
        written = [said.count(b"abc") for said in (self.client.take(), other.take())]
        self.assertLessEqual(sum(written), 9000)
        self.assertGreater(sum(written), 8000)

    def test_store_that_asks_others(self) -> None:
        """What comes while it is asked passes; the answer cuts; one that comes too late is given back."""
        for leaves in (False, True):
            with row(leaves):
                self.begin(9000)
                store = self.exchange.limiting.store
                reserve, asked = store.reserve, []

                def slow(parts: list[Part]) -> Deferred[Any]:
                    asked.append(Deferred())
                    return asked[-1].addCallback(lambda _: reserve(parts))

                self.patch(store, "reserve", slow)
                self.feed(words(5000), words(5000))
                self.assertEqual((len(asked), self.client.take().count(b"abc")), (1, 10000))
                if leaves:
                    self.client.close()
                    left = self.left("money")
                    asked[0].callback(None)
                    self.assertEqual(self.left("money"), left)
                else:
                    asked[0].callback(None)
                    self.feed(words(1))
                    asked[1].callback(None)
                    self.assertEqual(self.client.state, "closed")
                self.assertEqual(self.left("parallel"), 9)

    def test_through_the_cache(self) -> None:
        """An answer that would be stored is cut likewise, and is not stored; the client's record says why."""
        request = a_chat(b"Cache-Control: public, max-age=600")
        self.begin(request=request)
        self.feed(words(6000))
        self.assertEqual((self.client.take().count(b"abc"), self.client.state), (0, "closed"))
        records = [(record.ended, record.error_code) for record in self.exchange.records if not record.part_of]
        self.assertEqual(records, [("refused", "budget_exceeded")])
        self.assertEqual(self.status(self.ask(request, self.exchange.client())), 429)

    def test_other_streams(self) -> None:
        """Gemini's array, lines of JSON, and events that are compressed all the same are cut too."""
        array = STREAM.replace(b"text/event-stream", b"application/json")
        lines = STREAM.replace(b"text/event-stream", b"application/x-ndjson")
        part = b'[{\n  "candidates": [{"content": {"parts": [{\n "text": "%s"\n}]}}]}\n' % (b"abc" * 6000)
        gemini = a_request(
            b"/v1/models/m:streamGenerateContent", b"Content-Type: application/json", body=b'{"contents":[]}'
        )
        rows = {
            "array": (gemini, array, part),
            "lines": (a_chat(), lines, b'{"message":{"content":"%s"}}\n' % (b"abc" * 6000)),
            "coded": (a_chat(), STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: br\r\n\r\n"), b"\0" * 18000),
        }
        for name, (request, head, piece) in rows.items():
            with row(name):
                self.start(max_budget=Decimal(4200), hard_budget=True)
                self.assertEqual(self.ask(request), b"")
                self.upstream().receive(head + chunked(piece))
                self.assertEqual(self.client.state, "closed")
                self.assertNotIn(piece[:40], self.client.take())

    def test_other_model(self) -> None:
        """The model that is asked in place of another one is cut by its own price."""
        self.start(max_budget=Decimal(500), hard_budget=True, over_budget="downgrade", downgrade=(("m", "s"),))
        cheap = {name: Price(Decimal(100_000)) for name in PRICES}
        models = {"m": PRICES, "s": cheap}
        self.exchange.costs.use([PriceRule("api", name, prices=prices) for name, prices in models.items()], ())
        self.ask(a_chat())
        self.upstream().receive(STREAM)
        self.feed(words(4900))
        self.assertEqual(self.client.take().count(b"abc"), 4900)
        self.feed(words(200))
        self.assertEqual((self.client.take(), self.client.state), (b"", "closed"))
        details = self.exchange.records[-1].details
        self.assertEqual(details, {"downgraded": {"asked": "m", "served": "s"}})

    def test_plain(self) -> None:
        """An answer that could not be read is not asked for."""
        self.start(max_budget=Decimal(4200), hard_budget=True)
        self.ask(a_chat(b"Accept-Encoding: gzip"))
        self.assertIn(b"Accept-Encoding: identity\r\n", self.upstream().take())
