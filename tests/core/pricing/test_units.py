"""Tests for L{llmproxy.core.pricing.units}."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.pricing.units import UNITS
from llmproxy.usage import Usage
from tests.tables import row

SAID: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("cache_write_1h_tokens", {"cache_creation": {"ephemeral_1h_input_tokens": 7}}, 7),
    ("cache_write_5m_tokens", {"cache_creation": {"ephemeral_5m_input_tokens": 8}}, 8),
    ("cache_write_1h_tokens", {"cacheDetails": [{"ttl": "5m", "inputTokens": 1}, {"ttl": "1h", "inputTokens": 9}]}, 9),
    ("input_image_tokens", {"input_tokens_details": {"image_tokens": 194, "text_tokens": 10}}, 194),
    ("input_text_tokens", {"prompt_tokens_details": {"text_tokens": 10}}, 10),
    ("output_image_tokens", {"candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}]}, 1290),
    (
        "input_image_tokens",
        {"promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 2}, {"modality": "DOCUMENT", "tokenCount": 3}]},
        5,
    ),
    ("cache_audio_read_tokens", {"input_token_details": {"cached_tokens_details": {"audio_tokens": 6}}}, 6),
    ("cache_audio_read_tokens", {"cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}]}, 4),
    ("web_searches", {"server_tool_use": {"web_search_requests": 3}}, 3),
    ("web_searches", {"num_search_queries": 2}, 2),
)

UNSAID: tuple[Any, ...] = (
    None,
    {},
    {"cache_creation": None, "server_tool_use": 5, "cacheDetails": {}, "promptTokensDetails": 1},
    {"cache_creation": {"ephemeral_1h_input_tokens": -1}, "server_tool_use": {"web_search_requests": True}},
    {"cache_creation": {"ephemeral_1h_input_tokens": 1.5}, "num_search_queries": "3"},
    {"cacheDetails": [None, {"ttl": "1h", "inputTokens": 2**60}], "cacheTokensDetails": [1, {"modality": ["AUDIO"]}]},
)


class UnitTests(SynchronousTestCase):
    def test_details(self) -> None:
        """What only the provider's own object says, in the shape of each."""
        for name, raw, expected in SAID:
            with row(name, raw):
                self.assertEqual(UNITS[name].count(Usage(raw=raw)), expected)

    def test_unsaid(self) -> None:
        """What is not said, or is no number of things, is not known: not 0, and no error."""
        for raw in UNSAID:
            for unit in UNITS.values():
                if unit.name != "requests":
                    with row(unit.name, raw):
                        self.assertIsNone(unit.count(Usage(raw=raw)))

    def test_words(self) -> None:
        """What the proxy has words for is taken from them."""
        usage = Usage(1, 2, 3, 4, 5, 6, 7, 8, 9.5)
        found = {name: UNITS[name].count(usage) for name in UNITS}
        self.assertEqual(
            {name: count for name, count in found.items() if count is not None},
            {
                "input_tokens": 1,
                "cache_read_tokens": 2,
                "cache_write_tokens": 3,
                "output_tokens": 4,
                "output_reasoning_tokens": 5,
                "input_audio_tokens": 6,
                "output_audio_tokens": 7,
                "images": 8,
                "audio_seconds": Decimal("9.5"),
                "input_audio_seconds": Decimal("9.5"),
                "requests": 1,
            },
        )

    def test_citations(self) -> None:
        """What Perplexity counts beside the completion came out too; once, whoever has added the reasoning."""
        raw = {"completion_tokens": 10, "citation_tokens": 4, "reasoning_tokens": 100}
        for output in (10, 110):
            with row(output):
                self.assertEqual(UNITS["output_tokens"].count(Usage(output_tokens=output, raw=raw)), 114)

    def test_within(self) -> None:
        """Cached audio is a part of what is cached, of the audio, and of the input; not of what is written."""
        outer = {name for name, unit in UNITS.items() if UNITS["cache_audio_read_tokens"].is_within(unit)}
        self.assertEqual(outer, {"input_tokens", "cache_read_tokens", "input_audio_tokens"})
