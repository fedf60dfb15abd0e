"""Tests for L{llmproxy.core.pricing.tariff}."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.pricing.tariff import Period, Price, Rates, Tariff, Variant
from llmproxy.usage import UNKNOWN, Usage
from tests.tables import row

D = Decimal


def prices(**found: str) -> dict[str, Price]:
    return {name: Price(D(amount)) for name, amount in found.items()}


CHAT = prices(input_tokens="2.5", cache_read_tokens="1.25", output_tokens="10")
WRITING = {**CHAT, **prices(cache_write_tokens="3.75", cache_write_1h_tokens="6")}
SPEECH = prices(audio_seconds="0.36", input_audio_seconds="0.36")

COSTS = (
    ("input and output", CHAT, Usage(1000, None, None, 100), "0.0035"),
    ("a part is cached", CHAT, Usage(1000, 400, None, 100), "0.003"),
    ("nothing", CHAT, Usage(0, 0, 0, 0), "0"),
    ("written without a price of its own is input", CHAT, Usage(1000, 400, 100, 100), "0.003"),
    ("written", WRITING, Usage(1000, 400, 100, 100), "0.003125"),
    (
        "written for an hour",
        WRITING,
        Usage(1000, 400, 100, 100, raw={"cache_creation": {"ephemeral_1h_input_tokens": 40}}),
        "0.003215",
    ),
    ("less than a token's price is exact", prices(input_tokens="0.0000001"), Usage(1), "0.0000000000001"),
    ("more than floats hold", prices(input_tokens="0.1"), Usage(9007199254740991), "900719925.4740991"),
    ("by the second", SPEECH, Usage(seconds=90.0), "0.009"),
    ("by a part of a second", SPEECH, Usage(seconds=0.1), "0.00001"),
    ("does not divide", prices(audio_seconds="0.111"), Usage(seconds=10.0), "0.000308333333"),
    ("by the request", prices(requests="5"), UNKNOWN, "0.005"),
    ("request and tokens", {**CHAT, **prices(requests="5")}, Usage(1000, None, None, 100), "0.0085"),
    ("by the picture", prices(images="0.04"), Usage(images=3), "0.12"),
    ("tokens or seconds, seconds said", {**CHAT, **SPEECH}, Usage(seconds=90.0), "0.009"),
    ("tokens or seconds, tokens said", {**CHAT, **SPEECH}, Usage(1000, None, None, 100), "0.0035"),
    ("searches that no answer tells", {**CHAT, **prices(storage_searches="2.5")}, Usage(1000, 0, 0, 100), "0.0035"),
    ("free, whatever was used", prices(input_tokens="0", output_tokens="0"), UNKNOWN, "0"),
)

NO_COSTS = (
    ("nothing is known", CHAT, UNKNOWN),
    ("only what went in is known", CHAT, Usage(1000)),
    ("only what came out is known", CHAT, Usage(output_tokens=5)),
    ("billed by tokens, seconds said", CHAT, Usage(seconds=3.0)),
    ("billed by characters", prices(input_characters="15"), Usage(1000, None, None, 100)),
    ("only searches are known", {**CHAT, **prices(web_searches="10")}, Usage(raw={"num_search_queries": 1})),
    ("only a request is known", {**CHAT, **prices(requests="5")}, UNKNOWN),
    ("more is cached than went in", CHAT, Usage(1000, 1001, None, 100)),
    ("more is cached and written than went in", WRITING, Usage(1000, 600, 600, 100)),
)


class RatesTests(SynchronousTestCase):
    def test_costs(self) -> None:
        """Each token is billed once, by the innermost price that it has."""
        for name, rates, usage, expected in COSTS:
            with row(name):
                self.assertEqual(str(Rates(rates).cost(usage)), str(D(expected).normalize() if D(expected) else D(0)))

    def test_no_costs(self) -> None:
        """What cannot be said is not said: it is not 0."""
        for name, rates, usage in NO_COSTS:
            with row(name):
                self.assertIsNone(Rates(rates).cost(usage))

    def test_tiers(self) -> None:
        """A tier is for all tokens of a request that has more input than where it begins."""
        rates = Rates(
            {
                "input_tokens": Price(D(1), ((200_000, D(2)), (500_000, D(3)))),
                "output_tokens": Price(D(10), ((200_000, D(15)),)),
            }
        )
        for into, expected in (
            (200_000, "0.21"),
            (200_001, "0.415002"),
            (500_000, "1.015"),
            (500_001, "1.515003"),
        ):
            with row(into):
                self.assertEqual(rates.cost(Usage(into, None, None, 1000)), D(expected))
        self.assertEqual(rates.cost(Usage(200_001, None, None, 1000)), D("0.415002"))

    def test_at_least(self) -> None:
        """So many seconds are billed for any audio, and none for none."""
        for seconds, expected in ((1.0, "0.001"), (10.0, "0.001"), (20.0, "0.002"), (0.0, "0")):
            with row(seconds):
                self.assertEqual(Rates(SPEECH).cost(Usage(seconds=seconds), 10), D(expected))

    def test_unknown_units(self) -> None:
        """A price for what nobody can count is none that could be left out."""
        self.assertRaises(LookupError, Rates, prices(input_thoughts="1"))

    @settings(deadline=None)
    @given(
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.decimals(0, 1000, places=6),
    )
    def test_sum(self, cached: int, written: int, fresh: int, out: int, price: Decimal) -> None:
        """It is the sum that anybody would add up by hand, to the last digit."""
        usage = Usage(cached + written + fresh, cached, written, out)
        rates = {**CHAT, "cache_write_tokens": Price(price)}
        by_hand = fresh * D("2.5") + cached * D("1.25") + written * price + out * 10
        self.assertEqual(Rates(rates).cost(usage), by_hand / 1_000_000)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


NIGHT = Period(begins=time(16, 30), ends=time(0, 30))
TARIFF = Tariff(
    (
        (Period(), prices(input_tokens="1")),
        (Period(since=date(2026, 3, 1)), prices(input_tokens="2")),
        (NIGHT, prices(input_tokens="0.5")),
    ),
    (
        Variant({"service_tier": "flex"}, prices(input_tokens="0.25")),
        Variant({"processing": "batch"}, prices(input_tokens="0.125"), Period(since=date(2026, 4, 1))),
        Variant({"speed": "fast", "service_tier": "x"}, prices(input_tokens="64")),
    ),
)


class TariffTests(SynchronousTestCase):
    def test_moments(self) -> None:
        """The last period that holds is in force."""
        for moment, expected in (
            ("2026-02-28T23:59:59", "0.5"),
            ("2026-02-28T12:00:00", "1"),
            ("2026-03-01T12:00:00", "2"),
            ("2026-03-01T16:29:59", "2"),
            ("2026-03-01T16:30:00", "0.5"),
            ("2026-03-02T00:29:59", "0.5"),
            ("2026-03-02T00:30:00", "2"),
        ):
            with row(moment):
                self.assertEqual(TARIFF.cost(Usage(1_000_000), at(moment)), D(expected))

    def test_before_all(self) -> None:
        """Where no period holds, the first one does, as in the book."""
        tariff = Tariff(((Period(since=date(2026, 1, 1)), prices(input_tokens="3")), (NIGHT, prices(input_tokens="4"))))
        self.assertEqual(tariff.cost(Usage(1_000_000), at("2020-01-01T12:00:00")), D(3))

    def test_variants(self) -> None:
        """The way in which it was served has a price of its own where the provider says so."""
        for said, moment, expected in (
            ({"service_tier": "flex"}, "2026-03-05T12:00:00", "0.25"),
            ({"service_tier": "default"}, "2026-03-05T12:00:00", "2"),
            ({"service_tier": None}, "2026-03-05T12:00:00", "2"),
            ({"service_tier": ["flex"]}, "2026-03-05T12:00:00", "2"),
            ({"service_tier": "batch"}, "2026-03-05T12:00:00", "2"),
            ({"service_tier": "batch"}, "2026-04-05T12:00:00", "0.125"),
            ({"speed": "fast"}, "2026-03-05T12:00:00", "2"),
            ({"speed": "fast", "service_tier": "x"}, "2026-03-05T12:00:00", "64"),
        ):
            with row(said, moment):
                self.assertEqual(TARIFF.cost(Usage(1_000_000, raw=said), at(moment)), D(expected))
