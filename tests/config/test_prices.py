"""Tests for L{llmproxy.config.prices}."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.apis import APIConfig
from llmproxy.config.document import compose
from llmproxy.config.model import APIProviderConfig
from llmproxy.config.prices import PriceConfig, amount, rules_of
from llmproxy.config.problems import Problems
from llmproxy.config.schema import read_config
from llmproxy.core.pricing.rules import PriceRule
from llmproxy.core.pricing.tariff import Price
from llmproxy.errors import ConfigError
from tests.tables import row

APIS = """
apis:
  openai: {base_url: https://api.openai.com, allowed_endpoints: [/v1], allowed_methods: [POST]}
  local: {base_url: "http://127.0.0.1:1", allowed_endpoints: [/v1], allowed_methods: [POST]}
default_api: openai
prices:
"""

D = Decimal


def read(prices: str) -> tuple[tuple[PriceConfig, ...], list[str]]:
    problems = Problems("f")
    root = compose(APIS + "".join(f"  - {line}\n" for line in prices.splitlines()), problems, {})
    assert root is not None
    config = read_config(root, frozenset(), None)
    return config.prices, [sentence for _, sentence in problems.found]


RIGHT: tuple[tuple[str, PriceRule], ...] = (
    (
        '{api: openai, model: "gpt-4o-mini*", input: 0.15, cached_input: 0.075, output: 0.60}',
        PriceRule(
            "openai",
            "gpt-4o-mini*",
            {
                "input_tokens": Price(D("0.15")),
                "cache_read_tokens": Price(D("0.075")),
                "output_tokens": Price(D("0.60")),
            },
        ),
    ),
    (
        '{api: local, model: "*", input: 0, output: 0}',
        PriceRule("local", "*", {"input_tokens": Price(D(0)), "output_tokens": Price(D(0))}),
    ),
    ("{api: loc*, like: openai}", PriceRule("loc*", like="openai")),
    (
        "{model: prod-chat, like: openai/gpt-4o, times: 0.8}",
        PriceRule("*", "prod-chat", like="openai", like_model="gpt-4o", times=D("0.8")),
    ),
    (
        "{input: 1, above: {200000: {input: 2}}}",
        PriceRule(prices={"input_tokens": Price(D(1), ((200_000, D(2)),))}),
    ),
    ("{minute: 0.006}", PriceRule(prices=dict.fromkeys(("audio_seconds", "input_audio_seconds"), Price(D("0.36"))))),
    ("{api: openai, input: , request: 0.01}", PriceRule("openai", "*", {"requests": Price(D(10))})),
)

WRONG: tuple[tuple[str, str, str], ...] = (
    ("{input: -1}", "prices[0].input", "expected an amount in USD, such as 0.15"),
    ("{input: 1e-6}", "prices[0].input", "expected an amount in USD"),
    ("{input: .nan}", "prices[0].input", "expected an amount in USD"),
    ("{input: $1}", "prices[0].input", "expected an amount in USD"),
    ("{input: [1]}", "prices[0].input", "expected an amount in USD, such as 0.15 (for a million tokens), got a list"),
    ("{inptu: 1}", "prices[0].inptu", "did you mean 'input'?"),
    ("{cached_input: 1}", "prices[0]", "give input too"),
    ("{api: openai}", "prices[0]", "says no price"),
    ("{like: openia/gpt-4o}", "prices[0].like", "did you mean 'openai'?"),
    ("{like: ollama/llama3}", "prices[0].like", "unknown provider 'ollama'"),
    ("{like: openai/}", "prices[0].like", "names no model"),
    ("{like: openai, input: 1}", "prices[0]", "either like or amounts"),
    ("{input: 1, times: 0.8}", "prices[0]", "give it with like"),
    ("{like: openai, times: 0}", "prices[0].times", "above 0"),
    ("{api: opnai, input: 1}", "prices[0]", "did you mean 'openai'?"),
    ("{api: '', input: 1}", "prices[0].api", "expected a pattern"),
    ("{input: 1, above: {many: {input: 2}}}", "prices[0].above.many", "whole number"),
    ("{input: 1, above: {100: {output: 2}}}", "prices[0]", "output has no price for requests below that"),
    ("{input: 1, above: {100: {image: 2}}}", "prices[0].above.100.image", "unknown key"),
    ("gpt-4o", "prices[0]", "expected a mapping"),
)


class PricesTests(SynchronousTestCase):
    def test_right(self) -> None:
        """What a file says becomes a rule, exactly."""
        for line, expected in RIGHT:
            with row(line):
                prices, problems = read(line)
                self.assertEqual(problems, [])
                self.assertEqual(rules_of(prices), (expected,))

    def test_wrong(self) -> None:
        """What is wrong is named with its place and what to do; what is right beside it stays."""
        for line, path, words in WRONG:
            with row(line):
                _, problems = read(line)
                self.assertEqual(len(problems), 1, problems)
                self.assertIn("f:7:", problems[0])
                self.assertIn(f": {path}: ", problems[0])
                self.assertIn(words, problems[0])

    def test_no_list(self) -> None:
        """One price that is no list is a mistake, not a price."""
        problems = Problems("f")
        root = compose(APIS.replace("prices:", "prices: {input: 1}"), problems, {})
        assert root is not None
        self.assertEqual(read_config(root, frozenset(), None).prices, ())
        self.assertIn("prices: expected a list", problems.found[0][1])

    def test_order(self) -> None:
        """The order of the file is that in which they are looked at."""
        prices, _ = read('{model: "a", input: 1}\n{model: "*", input: 2}')
        self.assertEqual([rule.model for rule in rules_of(prices)], ["a", "*"])

    def test_amounts(self) -> None:
        """Exactly what is written, and nothing that could be meant otherwise."""
        self.assertEqual(str(amount("0.10")), "0.10")
        for text in ("", "1,5", "0x1", "1_0", "+1", "1.", ".5", "\u0661", "9" * 10, "0." + "1" * 16):
            with row(text):
                self.assertRaises(ValueError, amount, text)


API = APIProviderConfig("https://api.openai.com", ("/v1",), ("POST",))


class ProgramTests(SynchronousTestCase):
    config = APIConfig({"openai": API}, "openai")

    def test_right(self) -> None:
        """A program gives decimals or whole numbers."""
        step: Any = {"200000": {"input": D("0.000001")}}
        price = PriceConfig("openai", "gpt-4o", input=D("0.15"), output=1, above=step)  # type: ignore[arg-type]
        evolve(self.config, prices=[price]).validate()

    def test_wrong(self) -> None:
        """A float is no amount of money; what a file is refused for, a program is refused for."""
        for price, words in (
            (PriceConfig(input=0.15), "prices[0].input"),  # type: ignore[arg-type]
            (PriceConfig(input="0.15"), "prices[0].input"),  # type: ignore[arg-type]
            (PriceConfig(input=D(-1)), "prices[0].input"),
            (PriceConfig(like="nobody"), "prices[0].like"),
            (PriceConfig(), "prices[0]"),
            ({"input": 1}, "prices[0]"),
        ):
            with row(price):
                error = self.assertRaises(ConfigError, evolve(self.config, prices=[price]).validate)
                self.assertIn(words, str(error))
