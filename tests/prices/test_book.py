"""Tests for L{llmproxy.prices.book}: what providers ask for, by hand, of answers as they give them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import datetime, timezone
from decimal import Decimal
from math import prod
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.pricing.units import UNITS
from llmproxy.prices.book import Book, _tariff, library_version
from llmproxy.providers.registry import BOOKS
from llmproxy.providers.usagereader import UsageReader
from llmproxy.usage import Usage
from tests.tables import row

D = Decimal


def answer(model: str, member: str = "usage", **usage: Any) -> bytes:
    return json.dumps({"modelVersion" if member == "usageMetadata" else "model": model, member: usage}).encode()


def gemini(model: str, **usage: Any) -> bytes:
    return answer(model, "usageMetadata", **usage)


NOON = "2026-11-02T12:00:00"

WORKED: tuple[tuple[str, str, bytes, str, str, str], ...] = (
    # what, provider, answer, by hand in millionths of USD, in USD, when
    (
        "OpenAI: a part is cached",
        "openai",
        answer(
            "gpt-4o-2024-08-06",
            prompt_tokens=2006,
            completion_tokens=300,
            total_tokens=2306,
            prompt_tokens_details={"cached_tokens": 1920},
            completion_tokens_details={"reasoning_tokens": 0},
        ),
        "86 * 2.5 + 1920 * 1.25 + 300 * 10",
        "0.005615",
        NOON,
    ),
    (
        "OpenAI: reasoning is output",
        "openai",
        answer(
            "o3-2025-04-16",
            input_tokens=100,
            output_tokens=1000,
            total_tokens=1100,
            output_tokens_details={"reasoning_tokens": 900},
        ),
        "100 * 2 + 1000 * 8",
        "0.0082",
        NOON,
    ),
    (
        "OpenAI: at half the price where it was served as flex",
        "openai",
        json.dumps(
            {
                "model": "gpt-5",
                "service_tier": "flex",
                "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
            }
        ).encode(),
        "1000 * 0.625 + 100 * 5",
        "0.001125",
        NOON,
    ),
    (
        "OpenAI: before its price fell",
        "openai",
        answer("o3-2025-04-16", input_tokens=100, output_tokens=1000, total_tokens=1100),
        "100 * 10 + 1000 * 40",
        "0.041",
        "2025-06-09T23:59:59",
    ),
    (
        "OpenAI: embeddings",
        "openai",
        answer("text-embedding-3-small", prompt_tokens=8, total_tokens=8),
        "8 * 0.02",
        "0.00000016",
        NOON,
    ),
    (
        "OpenAI: a fine-tuned model costs more than its base",
        "openai",
        answer("ft:gpt-4o-mini-2024-07-18:acme::7pXy", prompt_tokens=1000, completion_tokens=100, total_tokens=1100),
        "1000 * 0.3 + 100 * 1.2",
        "0.00042",
        NOON,
    ),
    (
        "OpenAI: pictures by tokens",
        "openai",
        answer(
            "gpt-image-1",
            input_tokens=250,
            output_tokens=4160,
            total_tokens=4410,
            input_tokens_details={"text_tokens": 50, "image_tokens": 200},
        ),
        "50 * 5 + 200 * 10 + 4160 * 40",
        "0.16865",
        NOON,
    ),
    (
        "OpenAI: speech by the minute",
        "openai",
        answer("whisper-1", type="duration", seconds=90),
        "90 * 100",
        "0.009",
        NOON,
    ),
    (
        "Anthropic: read, written for 5 minutes and for an hour, searched",
        "anthropic",
        answer(
            "claude-opus-4-1-20250805",
            input_tokens=50,
            cache_creation_input_tokens=248,
            cache_creation={"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
            cache_read_input_tokens=1800,
            output_tokens=503,
            server_tool_use={"web_search_requests": 3},
            service_tier="standard",
        ),
        "50 * 15 + 148 * 18.75 + 100 * 30 + 1800 * 1.5 + 503 * 75 + 3 * 10_000",
        "0.07695",
        NOON,
    ),
    (
        "Gemini: thoughts are output; all tokens of a long prompt cost more",
        "gemini",
        gemini(
            "gemini-2.5-pro",
            promptTokenCount=250_000,
            cachedContentTokenCount=50_000,
            candidatesTokenCount=1000,
            thoughtsTokenCount=2000,
            totalTokenCount=253_000,
        ),
        "200_000 * 2.5 + 50_000 * 0.25 + 3000 * 15",
        "0.5575",
        NOON,
    ),
    (
        "Gemini: the longest of the short prompts",
        "gemini",
        gemini("gemini-2.5-pro", promptTokenCount=200_000, candidatesTokenCount=1000, totalTokenCount=201_000),
        "200_000 * 1.25 + 1000 * 10",
        "0.26",
        NOON,
    ),
    (
        "Gemini: audio",
        "gemini",
        gemini(
            "gemini-2.5-flash",
            promptTokenCount=1000,
            candidatesTokenCount=10,
            totalTokenCount=1010,
            promptTokensDetails=[
                {"modality": "TEXT", "tokenCount": 200},
                {"modality": "AUDIO", "tokenCount": 800},
            ],
        ),
        "200 * 0.3 + 800 * 1 + 10 * 2.5",
        "0.000885",
        NOON,
    ),
    (
        "Vertex AI: another vendor's model",
        "gemini",
        answer("claude-sonnet-4@20250514", input_tokens=100, output_tokens=10),
        "100 * 3 + 10 * 15",
        "0.00045",
        NOON,
    ),
    (
        "Azure: the model behind the deployment",
        "azure",
        answer("gpt-4o-mini-2024-07-18", prompt_tokens=1000, completion_tokens=100, total_tokens=1100),
        "1000 * 0.15 + 100 * 0.6",
        "0.00021",
        NOON,
    ),
    (
        "Bedrock",
        "bedrock",
        answer("anthropic.claude-3-5-sonnet-20241022-v2:0", input_tokens=100, output_tokens=10),
        "100 * 3 + 10 * 15",
        "0.00045",
        NOON,
    ),
    (
        "xAI: reasoning beside the output is output",
        "xai",
        answer(
            "grok-4-0709",
            prompt_tokens=100,
            completion_tokens=20,
            total_tokens=150,
            prompt_tokens_details={"cached_tokens": 40},
            completion_tokens_details={"reasoning_tokens": 30},
        ),
        "60 * 3 + 40 * 0.75 + 50 * 15",
        "0.00096",
        NOON,
    ),
    (
        "DeepSeek: by day",
        "deepseek",
        answer("deepseek-chat", prompt_tokens=100, prompt_cache_hit_tokens=60, completion_tokens=10, total_tokens=110),
        "40 * 0.27 + 60 * 0.07 + 10 * 1.1",
        "0.000026",
        "2025-05-05T12:00:00",
    ),
    (
        "DeepSeek: by night",
        "deepseek",
        answer("deepseek-chat", prompt_tokens=100, prompt_cache_hit_tokens=60, completion_tokens=10, total_tokens=110),
        "40 * 0.135 + 60 * 0.035 + 10 * 0.55",
        "0.000013",
        "2025-05-05T20:00:00",
    ),
    (
        "Groq: ten seconds of audio at least",
        "groq",
        answer("whisper-large-v3", type="duration", seconds=2),
        "308.333333",
        "0.000308333333",
        NOON,
    ),
    (
        "Perplexity: reasoning, citations and searches",
        "perplexity",
        answer(
            "sonar-deep-research",
            prompt_tokens=10,
            completion_tokens=100,
            total_tokens=110,
            reasoning_tokens=1000,
            citation_tokens=50,
            num_search_queries=4,
        ),
        "10 * 2 + 100 * 8 + 1000 * 3 + 50 * 2 + 4 * 5000",
        "0.02392",
        NOON,
    ),
    (
        "OpenRouter",
        "openrouter",
        answer("anthropic/claude-sonnet-4", prompt_tokens=100, completion_tokens=10, total_tokens=110),
        "100 * 3 + 10 * 15",
        "0.00045",
        NOON,
    ),
)
"""Prices as the vendors' pages had them, which the book cites."""

NAMES = (
    ("gemini", "models/gemini-2.5-flash"),
    ("gemini", "publishers/google/models/gemini-2.5-pro"),
    ("gemini", "projects/p/locations/l/publishers/google/models/gemini-2.5-pro"),
    ("gemini", "google/gemini-2.5-flash"),
    ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0"),
    ("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
    ("openai", "GPT-4o"),
    ("openai", "gpt-4o-20240806"),
    ("fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct"),
    ("openai", "omni-moderation-latest"),
)

STRANGERS = (
    ("openai", "gpt-4o-of-mine"),
    ("openai", "ft:gpt-9:acme::1"),
    ("openai", ""),
    ("openai", "x" * 200),
    ("azure", "prod-chat"),
    ("", "gpt-4o"),
    ("openai", "gpt-4o\n"),
)


def added_up(sum_of_products: str) -> Decimal:
    """In USD, of what is written in millionths of it."""
    return sum(prod(D(each) for each in product.split(" * ")) for product in sum_of_products.split(" + ")) / D(10**6)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


class BookTests(SynchronousTestCase):
    book = Book()

    def test_worked(self) -> None:
        """What an answer costs is what its provider's own price list makes of it, to the last digit."""
        for what, provider, body, by_hand, expected, when in WORKED:
            with row(what, by_hand):
                reader = UsageReader(b"application/json")
                reader.whole(body)
                usage = reader.usage()
                tariff = self.book.tariff(BOOKS[provider], usage.served_model)
                self.assertEqual(tariff and tariff.cost(usage, moment(when)), D(expected))
                self.assertEqual(added_up(by_hand), D(expected))

    def test_names(self) -> None:
        """As paths, ARNs, regions and gateways write them, in any case, of any day."""
        for provider, name in NAMES:
            with row(provider, name):
                self.assertIsNotNone(self.book.tariff(BOOKS[provider], name))

    def test_strangers(self) -> None:
        """What the book does not have has no price, however much it looks like something else."""
        for provider, name in STRANGERS:
            with row(provider, name):
                self.assertIsNone(self.book.tariff(BOOKS.get(provider, ""), name))

    def test_no_price_is_not_free(self) -> None:
        """A model that the book has without a price: only of some it is known that they cost nothing."""
        nothing = SimpleNamespace(id="m", prices=SimpleNamespace(), price_variants=None)
        provider = SimpleNamespace(id="openai", models=[nothing])
        self.assertIsNone(_tariff(provider, nothing))
        free = self.book.tariff("openai", "omni-moderation-latest")
        self.assertEqual(free and free.cost(Usage(), 0), D(0))

    def test_strange_units(self) -> None:
        """A price for what is not known here makes no tariff, rather than one that leaves it out."""
        model = SimpleNamespace(
            id="m", prices=SimpleNamespace(input_mtok=D(1), input_thoughts_mtok=D(9)), price_variants=None
        )
        self.assertIsNone(_tariff(SimpleNamespace(id="p", models=[model]), model))

    def test_providers(self) -> None:
        """What our providers are called in the book is there."""
        for name, known_as in BOOKS.items():
            with row(name):
                self.assertTrue(self.book.models(known_as))

    def test_units(self) -> None:
        """Every unit that something in the book is priced by is known here, as a part of the same others."""
        from genai_prices.data_units import unit_data

        book = self.book
        used = {key for p in book._read().providers for m in p.models for key in _keys(m)}
        for name, unit in unit_data.items():
            if unit.get("price_key", name) in used:
                with row(name):
                    self.assertEqual(UNITS[name].per, unit["per"])

    def test_like_the_library(self) -> None:
        """Every model of the book costs what the library says, whatever was used, whenever, and however served."""
        import genai_prices

        chance = random.Random(20)
        compared = 0
        for provider in self.book._read().providers:
            for model in provider.models:
                tariff = _tariff(provider, model)
                if tariff is None or model.id.endswith(":free"):
                    continue
                usage, theirs, served = _used(chance)
                at = chance.uniform(1.74e9, 1.80e9)
                said = model.calc_price(
                    genai_prices.Usage(**theirs),
                    provider,
                    genai_request_timestamp=datetime.fromtimestamp(at, timezone.utc),
                    price_context=served,
                )
                found = tariff.cost(usage, at)
                if found is not None:
                    compared += 1
                    with row(provider.id, model.id, usage, at):
                        self.assertLess(abs(found - said.total_price), D("1e-11"))
        self.assertGreater(compared, 500)

    def test_nothing_is_fetched(self) -> None:
        """Reading it starts no thread and opens no socket; naming its version does not even import it."""
        script = (
            "import sys, threading\n"
            "from llmproxy.prices.book import Book\n"
            "book = Book()\n"
            "assert book.version and 'genai_prices' not in sys.modules and 'pydantic' not in sys.modules\n"
            "opened = []\n"
            "sys.addaudithook(lambda event, _: opened.append(event) if event.startswith('socket.') else None)\n"
            "assert book.tariff('openai', 'gpt-4o') is not None\n"
            "assert not {'socket.connect', 'socket.getaddrinfo', 'socket.bind'} & {*opened}, opened\n"
            "assert threading.active_count() == 1, threading.enumerate()\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    def test_version(self) -> None:
        """It is the name of the book and its version."""
        self.assertRegex(library_version(), r"^genai-prices-\d+\.\d+")


def _keys(model: Any) -> set[str]:
    found = [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]
    return {key for prices in found for key in vars(prices)}


def _used(chance: random.Random) -> tuple[Usage, dict[str, Any], dict[str, str] | None]:
    """The same usage in our words and in the library's, and how it was served."""
    whole = chance.choice([0, 10, 1000, 200_000, 200_001, 272_000, 272_001, 900_000])
    cached = chance.randint(0, whole)
    written = chance.randint(0, whole - cached)
    hour, out, searches = chance.randint(0, written), chance.randint(0, 5000), chance.randint(0, 3)
    served = chance.choice([None, {"service_tier": "flex"}, {"service_tier": "priority"}, {"speed": "fast"}])
    raw = {
        "cache_creation": {"ephemeral_1h_input_tokens": hour},
        "server_tool_use": {"web_search_requests": searches},
        **(served or {}),
    }
    usage = Usage(whole, cached, written, out, chance.randint(0, out), seconds=12.5, raw=raw)
    theirs = {
        "input_tokens": whole,
        "cache_read_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": hour,
        "output_tokens": out,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "web_searches": searches,
        "audio_seconds": 12.5,
        "input_audio_seconds": 12.5,
    }
    return usage, theirs, served
