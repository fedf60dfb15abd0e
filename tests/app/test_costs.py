"""Tests for L{llmproxy.app.costs}."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.costs import MOST_WAITING, Costs
from llmproxy.config.compile import compile_api
from llmproxy.config.model import APIProviderConfig
from llmproxy.core.limits.values import PICO
from llmproxy.core.pricing.rules import PriceRule
from llmproxy.core.pricing.tariff import Price
from llmproxy.message import Api
from llmproxy.prices.pricer import Prices
from llmproxy.usage import UNKNOWN, Usage
from tests.sinks.records import a_record
from tests.tables import row

D = Decimal
MILLION = Usage(input_tokens=1_000_000, output_tokens=0, served_model="m")


def rule(api: str, price: int) -> PriceRule:
    return PriceRule(api, prices={"input_tokens": Price(D(price)), "output_tokens": Price(D(1))})


def an_api(name: str, base_url: str, **settings: Any) -> Api:
    return compile_api(name, APIProviderConfig(base_url, ("/v1",), ("POST",), **settings))


class CostsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.costs = Costs(Clock())
        self.costs.use([rule("openai", 2)], ())

    def test_noted(self) -> None:
        """What it cost, and by which prices."""
        record = a_record(usage=MILLION)
        self.costs.note(record)
        self.assertEqual((record.cost, record.cost_saved), (D(2), None))
        self.assertEqual(record.book, self.costs.prices.version)

    def test_tariffs(self) -> None:
        """The tariff of a model: at once where it is known, and that there is none likewise."""
        for api, expected in (("openai", D(2)), ("other", None)):
            found: Any = None
            for _ in range(2):
                found = self.costs.tariff("", api, "m")
                found = self.successResultOf(found) if isinstance(found, Deferred) else found
            self.assertNotIsInstance(found, Deferred)
            self.assertEqual(None if found is None else found.cost(MILLION, 0.0), expected, api)

    def test_alias(self) -> None:
        """A model that the caller calls otherwise is counted and priced as the one that was served."""
        self.costs.use([PriceRule("openai", model="m", prices={"input_tokens": Price(D(2))})], ())
        usage = Usage(input_tokens=1_000_000, output_tokens=None, served_model="fast")
        for served, expected in (("m", D(2)), ("", None)):
            record = a_record(usage=usage, model="fast", served=served)
            self.costs.note(record)
            assert record.usage is not None
            self.assertEqual((record.cost, record.usage.served_model), (expected, served or "fast"), served)

    def test_billed_to_clients(self) -> None:
        """What clients pay themselves costs nothing, whatever a book says; a price of the configuration holds."""
        for provider, api, usage, expected in (
            ("openai:client", "other", MILLION, D(0)),
            ("client", "other", MILLION, D(0)),
            ("openai:client", "other", UNKNOWN, D(0)),
            ("openai:client", "other", None, D(0)),
            ("openai:client", "openai", MILLION, D(2)),
            ("openai", "other", MILLION, None),
        ):
            with row(provider, api, usage):
                record = a_record(usage=usage, api=api, provider=provider)
                self.costs.note(record)
                self.assertEqual(record.cost, expected)

    def spent(self, **values: Any) -> tuple[Any, Any]:
        """What limits settle with, and what stands in the record in the end."""
        record = a_record(**values)
        found: Any = self.costs.spent(record)
        found = self.successResultOf(found) if isinstance(found, Deferred) else found
        self.costs.note(record)
        return found, record.cost

    def test_spent(self) -> None:
        """Limits settle with what the record says in the end, by whatever name it is asked for."""
        self.costs.use([PriceRule("openai", model="m", prices={"input_tokens": Price(D(2))})], ())
        alias = Usage(input_tokens=1_000_000, served_model="fast")
        for values, expected in (
            ({"usage": MILLION}, (2 * PICO, D(2))),
            ({"usage": MILLION, "model": "other"}, (2 * PICO, D(2))),
            ({"usage": alias, "served": "m"}, (2 * PICO, D(2))),
            ({"usage": alias}, (0, None)),
            ({"usage": MILLION, "provider": "client"}, (2 * PICO, D(2))),
            ({"usage": alias, "provider": "openai:client"}, (0, D(0))),
            ({"usage": Usage(output_tokens=5, served_model="m")}, (None, None)),
            ({"usage": None}, (None, None)),
            ({"usage": Usage(input_tokens=0, served_model="m")}, (0, D(0))),
        ):
            for _ in range(2):
                with row(values):
                    self.assertEqual(self.spent(**values), expected)

    def test_priced_once(self) -> None:
        """What limits have settled is not priced again, unless more of it is known by then."""
        record = a_record(usage=MILLION)
        self.successResultOf(self.costs.spent(record))  # type: ignore[arg-type]
        self.costs.use([rule("openai", 3)], ())
        self.costs.note(record)
        self.assertEqual(record.cost, D(2))
        record.usage = Usage(input_tokens=2_000_000, output_tokens=0, served_model="m")
        self.costs.note(record)
        self.assertEqual((record.cost, record.book), (D(6), self.costs.prices.version))

    def test_spent_too_late(self) -> None:
        """A record that is written down is not changed by a price that comes later."""
        record = a_record(usage=MILLION, sealed=True)
        self.assertEqual(self.successResultOf(self.costs.spent(record)), 2 * PICO)  # type: ignore[arg-type]
        self.assertIsNone(record.cost)

    def test_not_known(self) -> None:
        """An API without a price, and usage that is not known, cost nothing that could be said."""
        for record in (a_record(api="other", usage=MILLION), a_record(usage=UNKNOWN)):
            with row(record.api):
                self.costs.note(record)
                self.assertEqual((record.cost, record.book), (None, ""))

    def test_saved(self) -> None:
        """An answer from the cache cost nothing, and what it saved is what it would have cost."""
        record = a_record(saved=MILLION, cache="hit")
        self.costs.note(record)
        self.assertEqual((record.cost, record.cost_saved), (D(0), D(2)))
        unknown = a_record(api="other", saved=MILLION, cache="hit")
        self.costs.note(unknown)
        self.assertEqual((unknown.cost, unknown.cost_saved), (D(0), None))

    def test_book(self) -> None:
        """The vendor is the upstream's that answered; of an answer from the cache, that of the API."""
        used = Usage(input_tokens=1000, output_tokens=100, served_model="gpt-4o-mini-2024-07-18")
        self.costs.use([], [an_api("openai", base_url="https://api.openai.com")])
        for record in (
            a_record(usage=used, provider="openai"),
            a_record(usage=used),
            a_record(usage=used, provider="azure"),
        ):
            with row(record.provider):
                self.costs.note(record)
                self.assertEqual(record.cost, D("0.00021"))

    def test_other_prices(self) -> None:
        """Another configuration's prices hold from then on."""
        self.costs.use([rule("openai", 3)], ())
        record = a_record(usage=MILLION)
        self.costs.note(record)
        self.assertEqual(record.cost, D(3))


class Threads(Clock):
    """A clock whose threads go on, and come back, when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.came = Event()
        self.may_go_on = Event()
        self.calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def callFromThread(self, call: Callable[..., object], *details: Any) -> None:
        self.calls.append((call, details))
        self.came.set()

    def back(self) -> None:
        self.may_go_on.set()
        assert self.came.wait(30)
        self.may_go_on.clear()
        self.came.clear()
        calls, self.calls = self.calls, []
        for call, details in calls:
            call(*details)


class Held(Prices):
    """Prices that are found when the test says so."""

    reactor: Threads

    def tariff(self, key: Any) -> Any:
        assert self.reactor.may_go_on.wait(30)
        return super().tariff(key)


class ThreadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Threads()
        self.costs = Costs(self.reactor)
        self.costs.prices = Held([rule("openai", 2)])
        self.costs.prices.reactor = self.reactor

    def test_later(self) -> None:
        """What is looked up first is noted when it is found; from then on at once."""
        records = [a_record(usage=MILLION) for _ in range(3)]
        for record in records:
            self.costs.note(record)
        self.assertEqual([record.cost for record in records], [None] * 3)
        self.reactor.back()
        self.assertEqual([record.cost for record in records], [D(2)] * 3)
        record = a_record(usage=MILLION)
        self.costs.note(record)
        self.assertEqual(record.cost, D(2))

    def test_pending(self) -> None:
        """While it is looked up a record is pending, whatever comes of it; then it is said once."""
        noted: list[Any] = []
        self.costs.noted = noted.append
        records = [a_record(usage=MILLION), a_record(usage=Usage(1, served_model="other"), api="nobody's")]
        for record in records:
            self.costs.note(record)
        self.assertEqual((self.costs.pending, noted), (set(records), []))
        for _ in records:
            self.reactor.back()
        self.assertEqual((self.costs.pending, noted), (set(), records))
        self.costs.note(a_record(usage=MILLION))
        self.assertEqual((self.costs.pending, noted), (set(), records))

    def test_one_thread(self) -> None:
        """However many models are asked for, one thread looks them up; what came meanwhile comes next."""
        first = a_record(usage=MILLION)
        self.costs.note(first)
        others = [a_record(usage=MILLION, api=f"openai-{number}") for number in range(3)]
        for record in others:
            self.costs.note(record)
        self.reactor.back()
        self.reactor.back()
        self.assertEqual(self.reactor.calls, [])
        self.assertEqual([record.cost for record in (first, *others)], [D(2), None, None, None])
        self.assertIsNone(self.costs.prices.seen(("", "openai-2", "m")))

    def test_bounds(self) -> None:
        """Names that nobody has seen wait in a bounded number, and so do records of one."""
        for number in range(MOST_WAITING + 5):
            self.costs.note(a_record(usage=Usage(1, served_model=f"m{number}")))
        records = [a_record(usage=Usage(1_000_000, None, None, 0, served_model="m0")) for _ in range(MOST_WAITING + 5)]
        for record in records:
            self.costs.note(record)
        self.assertEqual(len(self.costs._waiting), MOST_WAITING)
        self.reactor.back()
        self.assertEqual([record.cost for record in records].count(D(2)), MOST_WAITING - 1)
        self.reactor.back()
        self.assertEqual(self.costs._waiting, {})

    def test_changed_meanwhile(self) -> None:
        """What is found by former prices is not noted as being of the present ones."""
        former = a_record(usage=MILLION)
        self.costs.note(former)
        self.costs.use([rule("openai", 3)], ())
        record = a_record(usage=MILLION)
        self.costs.note(record)
        self.reactor.back()
        self.reactor.back()
        self.assertEqual((former.cost, record.cost), (None, D(3)))

    def test_broken(self) -> None:
        """A book that cannot be read is said, and hurts nothing."""

        class Broken(Prices):
            def tariff(self, key: Any) -> Any:
                raise OSError("no book")

        self.costs.prices = Broken()
        record = a_record(usage=MILLION)
        self.costs.note(record)
        self.reactor.back()
        self.assertIsNone(record.cost)
        self.assertEqual(len(self.costs._waiting), 0)

    def test_dialect(self) -> None:
        """An API whose vendor only its dialect tells has the book of that one, a price of its own stands above it."""
        for rules, settings, expected in (
            ([], {"dialect": "openai"}, D("2.5")),
            ([], {}, None),
            ([rule("mine", 0)], {"dialect": "openai"}, D(0)),
        ):
            with row(rules, settings):
                self.costs.use(rules, [an_api("mine", "http://127.0.0.1:1", **settings)])
                record = a_record(usage=Usage(1_000_000, None, None, 0, served_model="gpt-4o"), api="mine", provider="")
                self.costs.note(record)
                self.reactor.back()
                self.assertEqual(record.cost, expected)

    def test_warm(self) -> None:
        """The book is read at the start where an upstream's vendor is in it, and nowhere else."""
        self.costs.warm()
        self.costs.use([], [an_api("mine", base_url="http://127.0.0.1:1")])
        self.costs.warm()
        self.assertEqual(self.costs._waiting, {})
        self.costs.use([], [an_api("openai", base_url="https://api.openai.com")])
        self.costs.warm()
        self.reactor.back()
        record = a_record(usage=Usage(1_000_000, None, None, 0, served_model="gpt-4o"), provider="openai")
        self.costs.note(record)
        self.reactor.back()
        self.assertEqual(record.cost, D("2.5"))
