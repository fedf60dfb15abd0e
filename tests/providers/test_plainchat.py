"""Tests for L{llmproxy.providers.plainchat}."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers import openai
from llmproxy.providers.plainchat import usage_of_chat
from llmproxy.providers.readers import reader_for
from llmproxy.providers.registry import USAGE_SHAPES

from .answers import GOLDEN

_COUNTS = st.integers(0, 5) | st.sampled_from([-1, 2**53, None, True, 1.0, "1", [], {}])
_DETAILS = (
    st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens", "reasoning_tokens", "x"]), _COUNTS) | _COUNTS
)
_USAGES = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": _COUNTS,
        "completion_tokens": _COUNTS,
        "total_tokens": _COUNTS | st.integers(0, 10),
        "prompt_tokens_details": _DETAILS,
        "completion_tokens_details": _DETAILS,
        "reasoning_tokens": _COUNTS,
        "prompt_cache_hit_tokens": _COUNTS,
        "cached_tokens": _COUNTS,
        "input_tokens": _COUNTS,
        "cost": _COUNTS,
    },
)
_PLAIN: dict[str, Any] = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


class PlainChatTests(SynchronousTestCase):
    @given(
        _USAGES | _COUNTS,
        st.booleans(),
        st.sampled_from(["m", "", "a\n", 7, "x" * 300, None]),
        st.sampled_from([None, "default", "auto", "flex", ["default"], 7, ""]),
    )
    def test_differential(self, usage: Any, plain: bool, model: Any, tier: Any) -> None:
        """It says what the reader of all others says, or nothing."""
        if plain and isinstance(usage, dict):
            usage |= _PLAIN
        found = {"id": "i", "usage": usage} | ({} if model is None else {"model": model})
        found |= {} if tier is None else {"service_tier": tier}
        said = usage_of_chat(found)
        if said is not None:
            self.assertEqual(said, openai.usage_of(found))

    def test_read(self) -> None:
        """What it is there for: with details or without."""
        for details in (
            {},
            {"prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0}},
            {"completion_tokens_details": {"reasoning_tokens": 1, "accepted_prediction_tokens": 0}},
            {"prompt_tokens_details": None, "cost": 0.5},
        ):
            # OpenAI says the tier in each.
            for others in ({}, {"service_tier": "default"}):
                usage = usage_of_chat({"model": "m", "usage": {**_PLAIN, **details}, **others})
                self.assertEqual(usage and (usage.input_tokens, usage.output_tokens), (3, 4), (details, others))

    def test_same_as_all(self) -> None:
        """Of the answers of every vendor it says what all shapes together say."""
        count = 0
        for name, golden in GOLDEN.items():
            reader = reader_for(golden.media_type, ())
            assert reader is not None, name
            reader.feed(golden.body)
            reader.usage()
            said = usage_of_chat(reader.found)
            if said is not None:
                count += 1
                by_shapes = (shape.read(reader.found) for shape in USAGE_SHAPES)
                self.assertEqual(said, next(usage for usage in by_shapes if usage is not None), name)
        self.assertGreater(count, 2)

    def test_left_to_others(self) -> None:
        """What has anything of a vendor's own."""
        for usage in (
            {**_PLAIN, "total_tokens": 9},
            {**_PLAIN, "prompt_cache_hit_tokens": 2},
            {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            {**_PLAIN, "prompt_tokens": None},
        ):
            self.assertIsNone(usage_of_chat({"usage": usage}), usage)
        for other in ("response.usage", "duration", "service_tier", "timings"):
            self.assertIsNone(usage_of_chat({"usage": _PLAIN, other: 1}), other)
