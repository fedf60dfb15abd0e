"""Tests of L{llmproxy.middleware.limits}, with all of the proxy around it."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import CacheConfig, MeterConfig
from llmproxy.config.upstreams import UpstreamConfig
from llmproxy.core.limits.values import PICO, Asking, LimitRule, UsageLimitSettings, effective
from llmproxy.core.pricing.rules import PriceRule
from llmproxy.core.pricing.tariff import Price
from llmproxy.message import Principal
from llmproxy.origin import CredentialPlace
from llmproxy.usagelimits import Overload, UsageLimits

from ..harness import SECRET, Exchange, Socket, a_request
from ..tables import row

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PRICES = {"input_tokens": Price(Decimal(1_000_000)), "output_tokens": Price(Decimal(1_000_000))}
"""A USD for each token."""


def answer(tokens_in: int, tokens_out: int, *, fields: bytes = b"", model: str = "m") -> bytes:
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    body = json.dumps({"object": "chat.completion", "model": model, "choices": [], "usage": usage}).encode()
    return HEAD + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


def a_chat(*fields: bytes, **members: Any) -> bytes:
    body = json.dumps({"model": "m", **members}).encode()
    return a_request(b"/v1/chat/completions", b"Content-Type: application/json", *fields, body=body)


class Case(SynchronousTestCase):
    def start(
        self,
        settings: UsageLimitSettings | None = None,
        of_project: bool = False,
        api: dict[str, Any] | None = None,
        **limits: Any,
    ) -> None:
        """
        A proxy whose token, or project, is limited so.

        @param api: instead of an API with a cache.
        """
        values = {"cache": CacheConfig(post="opt_in"), "cached": True} if api is None else api
        self.exchange = Exchange(usage_limits=settings, meter=MeterConfig(enabled=True), **values)
        known = self.exchange.directory.known
        principal = known[SECRET]
        stated = UsageLimits(**limits) if limits else principal.token.limits
        if of_project:
            known[SECRET] = Principal(principal.token, evolve(principal.project, limits=stated))
        else:
            known[SECRET] = Principal(evolve(principal.token, limits=stated), principal.project)
        self.exchange.costs.use([PriceRule("api", "m", prices=PRICES)], ())
        self.client = self.exchange.client()

    def ask(self, request: bytes, client: Socket | None = None) -> bytes:
        client = client or self.client
        client.receive(request)
        return client.take()

    def upstream(self) -> Socket:
        return self.exchange.upstream[-1]

    def status(self, said: bytes) -> int:
        return int(said.split(b" ")[1]) if said else 0

    def left(self, kind: str) -> int:
        """How much is left of the one limit of a kind."""
        principal = self.exchange.directory.known[SECRET]
        rules = effective(self.exchange.limiting.settings, Asking(principal.project, principal.token, "api", "m"))
        states = self.successResultOf(self.exchange.limiting.store.left(rules))
        return next(each.left for each in states if each.rule.kind == kind)


class RateTests(Case):
    def test_requests(self) -> None:
        """So many in a minute, from then on a refusal that upstream does not see, and again a minute later."""
        self.start(rpm_limit=2)
        for _ in range(2):
            self.ask(a_chat())
            self.upstream().receive(answer(1, 1))
            self.assertEqual(self.status(self.client.take()), 200)
        refused = self.ask(a_chat())
        self.assertEqual(self.status(refused), 429)
        for part in (
            b"x-should-retry: ",
            b"Retry-After: 61",
            b"retry-after-ms: 61",
            b'RateLimit: "requests-token";r=0',
        ):
            self.assertIn(part, refused)
        self.assertIn(
            b"rpm_limit of the token 'sk-\\u2026' is 2 requests a minute".replace(b"\\u2026", "…".encode()), refused
        )
        self.assertEqual([len(self.exchange.upstream), self.exchange.quota.balance], [1, 2])
        self.exchange.clock.advance(62)
        self.assertEqual(self.ask(a_chat()), b"")

    def test_tokens_are_reserved(self) -> None:
        """What an answer may have counts until it is known what it had."""
        self.start(tpm_limit=1000)
        self.ask(a_chat(max_tokens=900))
        self.assertEqual(self.status(self.ask(a_chat(max_tokens=900), self.exchange.client())), 429)
        self.upstream().receive(answer(10, 20))
        self.assertEqual(self.left("tokens"), 970)
        self.assertEqual(self.ask(a_chat(max_tokens=900), self.exchange.client()), b"")

    def test_too_much(self) -> None:
        """What can never fit says so, and that trying again does not help."""
        self.start(tpm_limit=1000)
        refused = self.ask(a_chat(max_tokens=1001))
        self.assertEqual(self.status(refused), 429)
        self.assertIn(b"x-should-retry: false", refused)
        self.assertNotIn(b"Retry-After", refused)

    def test_hits_are_free(self) -> None:
        """An answer out of the cache uses up nothing of any limit."""
        self.start(rpm_limit=1, tpm_limit=5000, max_budget=Decimal(5000))
        stored = answer(1, 1, fields=b"Cache-Control: public, max-age=600\r\n")
        for _ in range(3):
            self.ask(a_chat(b"Cache-Control: public, max-age=600", max_tokens=10))
            if not self.client.sent and self.exchange.upstream and self.exchange.records == []:
                self.upstream().receive(stored)
        self.assertEqual([each.status for each in self.exchange.records if not each.part_of], [200, 200, 200])
        self.assertEqual((self.left("requests"), self.left("tokens")), (0, 4998))

    def test_lists_are_free_of_tokens(self) -> None:
        """A request that uses no model counts as a request, also where no token is left."""
        self.start(tpm_limit=5, rpm_limit=5)
        self.ask(a_request(b"/v1/models"))
        self.upstream().receive(HEAD + b"Content-Length: 2\r\n\r\n{}")
        self.assertEqual(self.status(self.client.take()), 200)
        self.assertEqual((self.left("tokens"), self.left("requests")), (5, 4))

    def test_project_and_rules(self) -> None:
        """The limits of a project, defaults and rules hold alike."""
        settings = UsageLimitSettings(rules=(LimitRule(UsageLimits(rpm_limit=1), model="m*"),))
        for how in ({"of_project": True, "rpm_limit": 1}, {"settings": settings}):
            with row(str(how)):
                self.start(**how)  # type: ignore[arg-type]
                self.ask(a_chat())
                self.assertEqual(self.status(self.ask(a_chat(), self.exchange.client())), 429)
        self.assertEqual(self.ask(a_chat(model="other"), self.exchange.client()), b"")

    def test_called_otherwise(self) -> None:
        """JSON that says it is something else is read all the same, as some servers do: no rule is passed by that."""
        body = json.dumps({"model": "m", "max_tokens": 900, "text": "x" * 100_000}).encode()
        for content in (body, body.replace(b"x" * 100_000, b"")):
            for kind in (b"text/plain", b"application/vnd.api+json", b"application/x-ndjson", b"", b"nonsense"):
                with row(len(content), kind):
                    self.start(UsageLimitSettings(rules=(LimitRule(UsageLimits(tpm_limit=40_000), model="m"),)))
                    request = a_request(b"/v1/chat/completions", b"Content-Type: " + kind, body=content)
                    self.ask(request)
                    for _ in range(5):
                        self.exchange.turn()
                    self.assertEqual(self.left("tokens"), 40_000 - 900 - -(-len(content) // 3))


class AroundTests(Case):
    """What of limits stands elsewhere in the chain."""

    def test_strangers(self) -> None:
        """Bad tokens are refused as too many; a good one is let in all the same."""
        rule = LimitRule(UsageLimits(rpm_limit=2), "address", unauthenticated=True)
        self.exchange = Exchange(usage_limits=UsageLimitSettings(rules=(rule,)), strangers=True)
        self.client = self.exchange.client()
        bad = a_chat().replace(SECRET, b"sk-" + b"B" * 22)
        self.assertEqual([self.status(self.ask(bad)) for _ in range(3)], [401, 401, 429])
        self.assertEqual(self.ask(a_chat()), b"")
        self.assertEqual(len(self.exchange.upstream), 1)

    def test_overload(self) -> None:
        """More than there may be at once are refused, until one has ended."""
        self.start(UsageLimitSettings(overload=Overload(1)))
        self.ask(a_chat())
        self.assertEqual(self.status(self.ask(a_chat(), self.exchange.client())), 503)
        self.upstream().receive(answer(1, 1))
        self.assertEqual(self.ask(a_chat(), self.exchange.client()), b"")

    def test_fields(self) -> None:
        """Answers say what is left where that is wanted; upstream's own stay as they are."""
        self.start(UsageLimitSettings(rate_limit_fields=True), rpm_limit=5)
        self.ask(a_chat())
        self.upstream().receive(answer(1, 1))
        self.assertIn(b'RateLimit: "requests-token";r=4;t=', self.client.take())
        self.ask(a_chat())
        self.upstream().receive(answer(1, 1, fields=b'RateLimit: "theirs";r=1\r\n'))
        said = self.client.take()
        self.assertIn(b'RateLimit: "theirs";r=1', said)
        self.assertNotIn(b"requests-token", said)
        self.start(rpm_limit=5)
        self.ask(a_chat())
        self.upstream().receive(answer(1, 1))
        self.assertNotIn(b"RateLimit", self.client.take())

    def test_fields_after_settling(self) -> None:
        """What is left is what is left of what the answer has used, not of what was reserved for it."""
        self.start(UsageLimitSettings(rate_limit_fields=True), tpm_limit=1000)
        for left in (970, 940):
            self.ask(a_chat(max_tokens=900))
            self.upstream().receive(answer(10, 20))
            self.assertIn(b'RateLimit: "tokens-token";r=%d;t=' % left, self.client.take())

    def test_fields_while_the_client_leaves(self) -> None:
        """An answer whose client leaves while that is found out is stopped."""
        self.start(UsageLimitSettings(rate_limit_fields=True), max_parallel_requests=1)
        left = self.exchange.limiting.store.left
        asked: list[Deferred[Any]] = []
        self.patch(self.exchange.limiting.store, "left", lambda rules: asked.append(Deferred()) or asked[-1])
        self.ask(a_chat())
        self.upstream().receive(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n")
        self.assertEqual(len(asked), 1)
        self.client.close()
        self.patch(self.exchange.limiting.store, "left", left)
        self.assertEqual((self.left("parallel"), self.upstream().state), (1, "aborted"))


class DowngradeTests(Case):
    """Another model is asked where a budget has no room for the caller's."""

    LIMITS: dict[str, Any] = {"max_budget": Decimal(100), "over_budget": "downgrade", "downgrade": (("m", "s/1:a"),)}

    def begin(self, **limits: Any) -> None:
        self.start(**{**self.LIMITS, **limits})
        cheap = {name: Price(Decimal(100_000)) for name in PRICES}
        models = {"m": PRICES, "s/1:a": cheap}
        self.exchange.costs.use([PriceRule("api", name, prices=prices) for name, prices in models.items()], ())

    def test_asked(self) -> None:
        """One value of the body is another, all other bytes are the same; the answer and the record say so."""
        self.begin()
        body = b'{ "x": {"model":"m"}, "model" : "\\u006d","max_tokens":200,"y":"\xc3\xa9 m" }'
        self.ask(a_request(b"/v1/chat/completions", b"Content-Type: application/json", body=body))
        sent = self.upstream().take()
        expected = body.replace(b'"\\u006d"', b'"s/1:a"')
        self.assertTrue(sent.endswith(b"\r\n\r\n" + expected), sent)
        self.assertIn(b"Content-Length: %d\r\n" % len(expected), sent)
        self.upstream().receive(answer(10, 20, fields=b"Cache-Control: public, max-age=9\r\n", model="s"))
        said = self.client.take()
        self.assertIn(b"X-LLMProxy-Model: asked=m, served=s/1:a\r\n", said)
        self.assertIn(b"Cache-Control: no-store\r\n", said)
        self.assertNotIn(b"max-age", said)
        details = [record.details for record in self.exchange.records]
        self.assertEqual(details[-1:], [{"downgraded": {"asked": "m", "served": "s/1:a"}}])

    def test_counted(self) -> None:
        """It is reserved and settled with the price of the model that is asked."""
        self.begin()
        self.ask(a_chat(max_tokens=200))
        self.assertLess(self.left("money"), 80 * PICO)
        self.upstream().receive(answer(10, 20, model="s/1:a"))
        self.assertEqual(self.left("money"), 97 * PICO)

    def test_fits(self) -> None:
        """Where there is room, nothing is changed or said."""
        self.begin()
        request = a_chat(max_tokens=20)
        self.ask(request)
        self.assertTrue(self.upstream().take().endswith(request.partition(b"\r\n\r\n")[2]))
        self.upstream().receive(answer(1, 1))
        self.assertNotIn(b"X-LLMProxy-Model", self.client.take())

    def test_every_name(self) -> None:
        """Of two members of the name none keeps the caller's model."""
        self.begin()
        body = b'{"model":"dear","model":"m","max_tokens":200}'
        self.ask(a_request(b"/v1/chat/completions", b"Content-Type: application/json", body=body))
        self.assertTrue(self.upstream().take().endswith(b'{"model":"s/1:a","model":"s/1:a","max_tokens":200}'))

    def test_refused(self) -> None:
        """What cannot be another model, or is too much for that too, is refused, and has used up nothing."""
        zipped = gzip.compress(b'{"model":"m","max_tokens":200}')
        json_type, coding = b"Content-Type: application/json", b"Content-Encoding: gzip"
        rows = {
            "too much": (a_chat(max_tokens=2000), {}),
            "no such model": (a_chat(model="n", max_tokens=200), {"downgrade": (("o", "s/1:a"),)}),
            "refuse": (a_chat(max_tokens=200), {"over_budget": "refuse"}),
            "not allowed": (a_chat(max_tokens=200), {"models": ("m",)}),
            "coded": (a_request(b"/v1/chat/completions", json_type, coding, body=zipped), {}),
            "no JSON": (a_request(b"/v1/audio/speech", b"Content-Type: text/plain", body=b"m" * 900), {}),
            "no model": (a_chat(model=None, max_tokens=200), {}),
        }
        for name, (request, limits) in rows.items():
            with row(name):
                self.begin(**limits)
                self.exchange.costs.use([PriceRule("api", "*", prices=PRICES)], ()) if name != "too much" else None
                self.client.receive(request)
                self.exchange.turn(0.1)
                self.assertEqual(self.status(self.client.take()), 429)
                self.assertEqual((self.exchange.upstream, self.left("money")), ([], 100 * PICO))


class BodyTests(Case):
    def test_in_pieces(self) -> None:
        """A body on its way is read before it goes on, and goes on as the same bytes."""
        self.start(tpm_limit=1000)
        request = a_chat(max_tokens=10, text="x" * 200)
        head, _, body = request.partition(b"\r\n\r\n")
        self.client.receive(head + b"\r\n\r\n" + body[:50])
        self.assertEqual(self.exchange.upstream, [])
        self.client.receive(body[50:])
        self.assertTrue(self.upstream().take().endswith(body))
        self.upstream().receive(answer(5, 5))
        self.assertEqual((self.left("tokens"), self.exchange.inspection.budget.used), (990, 0))

    def test_coded(self) -> None:
        """A compressed body is read too."""
        self.start(tpm_limit=1000)
        content = gzip.compress(json.dumps({"model": "m", "max_tokens": 5000}).encode())
        request = a_request(
            b"/v1/chat/completions", b"Content-Type: application/json", b"Content-Encoding: gzip", body=content
        )
        self.client.receive(request)
        self.exchange.turn(0.1)
        self.assertEqual(self.status(self.client.take()), 429)

    def test_unread(self) -> None:
        """Where only requests are limited, bodies pass as they come."""
        self.start(rpm_limit=10)
        request = a_chat(text="x" * 100_000)
        self.client.receive(request[:70_000])
        self.assertGreater(len(self.upstream().take()), 60_000)

    def test_slow(self) -> None:
        """A body that does not come is not waited for without end, and nothing stays held."""
        self.start(tpm_limit=1000)
        self.client.receive(a_chat(text="x" * 200)[:-100])
        self.exchange.turn(60)
        self.assertEqual(self.status(self.client.take()), 408)
        self.assertEqual((self.left("tokens"), self.exchange.inspection.budget.used), (1000, 0))


class BudgetTests(Case):
    def test_spent(self) -> None:
        """Money is reserved as it can be at most, and is in the end what it was."""
        self.start(max_budget=Decimal(100), budget_duration="1d")
        self.ask(a_chat(max_tokens=60))
        self.assertEqual(self.status(self.ask(a_chat(max_tokens=60), self.exchange.client())), 429)
        self.upstream().receive(answer(10, 20))
        self.assertEqual(self.left("money"), 70 * PICO)

    def test_refused(self) -> None:
        """A budget that is used up has a code of its own, and is not to be tried again."""
        self.start(max_budget=Decimal(10), budget_duration="1d")
        refused = self.ask(a_chat(max_tokens=60))
        self.assertEqual(self.status(refused), 429)
        for part in (b'"code":"budget_exceeded"', b"x-should-retry: false", b"max_budget of the token"):
            self.assertIn(part, refused)

    def test_warns(self) -> None:
        """Shares that are passed are passed on."""
        self.start(max_budget=Decimal(100), budget_duration="1d", soft_budget=Decimal(20))
        seen: list[int] = []
        self.exchange.limiting.listeners.append(lambda crossed: seen.append(crossed.share))
        self.ask(a_chat(max_tokens=60))
        self.upstream().receive(answer(10, 45))
        self.assertEqual(seen, [0, 50])

    def test_without_price(self) -> None:
        """A model without a price counts 0; where a budget is hard, it is refused."""
        self.start(max_budget=Decimal(10))
        self.assertEqual(self.ask(a_chat(model="free", max_tokens=60)), b"")
        self.upstream().receive(answer(10, 45).replace(b'"m"', b'"f"'))
        self.assertEqual(self.left("money"), 10 * PICO)
        self.start(max_budget=Decimal(10), hard_budget=True)
        refused = self.ask(a_chat(model="free", max_tokens=60))
        self.assertEqual(self.status(refused), 403)
        self.assertIn(b"price_unknown", refused)


class ClientsBillTests(Case):
    """Answers that a client's own credential pays for."""

    def begin(self, **limits: Any) -> None:
        upstream = UpstreamConfig(
            "own", "http://192.0.2.9", credential="client", auth=CredentialPlace("header", b"x-api-key", b"")
        )
        self.start(api={"base_url": "", "upstreams": (upstream,)}, **limits)

    def paid(self, model: str) -> bytes:
        said = self.ask(a_chat(b"x-api-key: of-the-client", model=model))
        if said:
            return said
        self.upstream().receive(answer(100, 100, model=model))
        return self.client.take()

    def test_costs_nothing(self) -> None:
        """Nothing of a budget is reserved or spent, be it hard; a price of the configuration makes it cost that."""
        for hard in (False, True):
            with row(f"hard {hard}"):
                self.begin(max_budget=Decimal(1), hard_budget=hard)
                self.exchange.costs.use([PriceRule("api", "priced", prices=PRICES)], ())
                self.assertEqual(self.status(self.paid("unpriced")), 200)
                self.assertEqual(self.left("money"), PICO)
                self.assertEqual(self.status(self.paid("priced")), 429)
                self.assertEqual(self.left("money"), PICO)


class EndTests(Case):
    """However a request ends, its place is free again, and what it used is counted as far as it is known."""

    LIMITS: dict[str, Any] = {"max_parallel_requests": 1, "tpm_limit": 1000, "rpm_limit": 100}

    def ended(self, name: str, tokens: int, requests: int) -> None:
        found = (self.left("parallel"), 1000 - self.left("tokens"), 100 - self.left("requests"))
        self.assertEqual(found, (1, tokens, requests), name)

    def test_while_its_body_comes(self) -> None:
        """A client that leaves before it was read has used nothing."""
        self.start(**self.LIMITS)
        self.client.receive(a_chat(text="x" * 200)[:-100])
        self.client.close()
        self.ended("upload", 0, 0)
        self.assertEqual(self.exchange.inspection.budget.used, 0)

    def test_while_it_waits(self) -> None:
        """A client that leaves before the head has used what it can have used: the provider goes on."""
        self.start(**self.LIMITS)
        self.ask(a_chat(max_tokens=98))
        self.assertEqual(self.left("parallel"), 0)
        self.client.close()
        self.ended("head", 109, 1)

    def test_within_the_answer(self) -> None:
        """Likewise within a stream that did not say what it used."""
        self.start(**self.LIMITS)
        self.ask(a_chat(max_tokens=98))
        self.upstream().receive(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n")
        self.assertEqual(self.left("parallel"), 0)
        self.client.close()
        self.ended("stream", 109, 1)

    def test_not_sent(self) -> None:
        """What could not be sent has used nothing."""
        self.start(**self.LIMITS)
        self.exchange.refuses = True
        self.assertEqual(self.status(self.ask(a_chat(max_tokens=98))), 502)
        self.ended("unreachable", 0, 0)

    def test_failed(self) -> None:
        """An error of upstream's is a request, and costs nothing."""
        rows = {
            "status": b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
            "no HTTP": b"what\r\n\r\n",
        }
        for name, said in rows.items():
            self.start(**self.LIMITS)
            self.ask(a_chat(max_tokens=98))
            self.upstream().receive(said)
            self.ended(name, 0, 1)

    def test_answered(self) -> None:
        """The usual end."""
        self.start(**self.LIMITS)
        self.ask(a_chat(max_tokens=98))
        self.upstream().receive(answer(11, 12))
        self.ended("answered", 23, 1)

    def test_unread_answer(self) -> None:
        """What does not say what it used counts as it was reserved."""
        self.start(**self.LIMITS)
        self.ask(a_chat(max_tokens=98))
        self.upstream().receive(HEAD + b"Content-Length: 2\r\n\r\n{}")
        self.ended("unknown", 109, 1)


class WaitingTests(Case):
    """A store that has to ask others."""

    def setUp(self) -> None:
        self.start(rpm_limit=5)
        self.store = self.exchange.limiting.store
        self.reserving: list[Deferred[Any]] = []
        self.parts: list[Any] = []
        reserve = self.store.reserve

        def slow(parts: Any) -> Deferred[Any]:
            self.reserving.append(Deferred())
            return self.reserving[-1].addCallback(lambda _: reserve(parts))

        self.patch(self.store, "reserve", slow)

    def test_waits(self) -> None:
        """Nothing goes on before it has answered."""
        self.client.receive(a_chat())
        self.assertEqual(self.exchange.upstream, [])
        self.reserving[0].callback(None)
        self.assertEqual((len(self.exchange.upstream), self.left("requests")), (1, 4))

    def test_left(self) -> None:
        """What a client that has left gets is given back."""
        self.client.receive(a_chat())
        self.client.close()
        self.reserving[0].callback(None)
        self.assertEqual((self.exchange.upstream, self.left("requests")), ([], 5))
