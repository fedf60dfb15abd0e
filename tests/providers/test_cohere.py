"""Tests for L{llmproxy.providers.cohere}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.cohere import PROVIDERS, usage_of

from .vendors import VendorTable


class CohereTests(VendorTable, SynchronousTestCase):
    (provider,) = PROVIDERS
    hosts = ("api.cohere.com",)

    def test_usage(self) -> None:
        """What is billed; what was counted where that says nothing; nothing of what is no number of tokens."""
        for raw, expected in (
            ({"billed_units": {"input_tokens": 3}, "tokens": {"input_tokens": 9, "output_tokens": 4}}, (3, 4)),
            ({"tokens": {"input_tokens": 9.0}}, (9, None)),
            ({"billed_units": {"search_units": 1}}, (None, None)),
            ({"billed_units": {"input_tokens": 1.5, "output_tokens": -1.0}}, (None, None)),
            ({"billed_units": {"input_tokens": float("inf")}}, (None, None)),
        ):
            usage = usage_of({"meta": raw})
            assert usage is not None, raw
            self.assertEqual((usage.input_tokens, usage.output_tokens), expected, raw)
        self.assertIsNone(usage_of({"meta": {"api_version": {}}, "usage": [1]}))
