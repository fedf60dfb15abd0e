"""Tests of L{llmproxy.core.limits.spending}."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.pricing import at_most
from llmproxy.core.limits.reservation import Estimate
from llmproxy.core.limits.spending import LONGEST_LINE, WrittenText, output_within
from llmproxy.core.pricing.tariff import Price, Tariff

from ...tables import row

TEXT = "six by"
EVENTS = {
    "chat": {"choices": [{"delta": {"role": "assistant", "content": TEXT}}]},
    "messages": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": TEXT}},
    "tools": {"delta": {"type": "input_json_delta", "partial_json": TEXT}},
    "responses": {"type": "response.output_text.delta", "delta": TEXT},
    "reasoning": {"type": "response.reasoning_summary_text.delta", "delta": TEXT},
    "gemini": {"candidates": [{"content": {"parts": [{"text": TEXT}], "role": "model"}}]},
    "ollama": {"message": {"role": "assistant", "content": TEXT}, "done": False},
}


def size(*pieces: bytes) -> int:
    text = WrittenText()
    for piece in pieces:
        text.feed(piece)
    return text.size


class WrittenTextTests(SynchronousTestCase):
    def test_dialects(self) -> None:
        """What is around the text does not count."""
        for name, event in EVENTS.items():
            for separators in ((",", ":"), (", ", ": ")):
                with row(name, separators):
                    written = json.dumps(event, separators=separators).encode()
                    self.assertEqual(size(b"data: " + written + b"\n\n"), 6)
                    self.assertEqual(size(written + b"\r\n"), 6)

    def test_none(self) -> None:
        """What is said again, and what is not of the model, does not count."""
        for event in (
            {"type": "response.output_text.done", "text": TEXT},
            {"type": "response.completed", "response": {"output": [{"content": [{"text": TEXT}]}]}},
            {"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 9}}},
            {"type": "content_block_start", "content_block": {"type": "tool_use", "input": {}}},
            {"delta": {"type": "signature_delta", "signature": "A" * 900}},
        ):
            with row(event):
                self.assertEqual(size(b"data: " + json.dumps(event).encode() + b"\n\n"), 0)

    def test_objects(self) -> None:
        """Arguments that are an object count with all of their line."""
        line = b'data: {"functionCall": {"name": "f", "args": {"a": 1}}}'
        self.assertEqual(size(line + b"\n"), len(line))

    def test_escapes(self) -> None:
        """A quotation mark in the text does not end it, and text that looks like a member is none."""
        said = '"content": "x" "type": "response.x"'
        written = json.dumps({"content": said})
        self.assertEqual(size(written.encode() + b"\n"), len(json.dumps(said)) - 2)

    @given(st.lists(st.integers(0, 400), max_size=8))
    def test_cut_anywhere(self, places: list[int]) -> None:
        """Pieces count as the whole does."""
        whole = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in EVENTS.values())
        edges = [0, *sorted(places), len(whole)]
        pieces = [whole[one:other] for one, other in pairwise(edges)]
        self.assertEqual(size(*pieces), 6 * len(EVENTS))

    def test_endless_line(self) -> None:
        """Of a line without an end each byte counts, and none is held."""
        text = WrittenText()
        for _ in range(100):
            text.feed(b"x" * 1000)
        self.assertGreater(text.size, 100_000 - LONGEST_LINE - 1000)
        self.assertLessEqual(sum(map(len, text._rest)), LONGEST_LINE)

    def test_coded(self) -> None:
        """Likewise of what cannot be seen."""
        text = WrittenText(is_coded=True)
        text.feed(b"\x1f\x8b\n\n")
        self.assertEqual((text.size, text.tokens), (4, 2))


class OutputWithinTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The most that still costs no more."""
        tariff = Tariff.of({"input_tokens": Price(Decimal(1)), "output_tokens": Price(Decimal(2))})
        for amount, expected in (
            (0, -1),
            (9_999_999, -1),
            (10_000_000, 0),
            (11_999_999, 0),
            (12_000_000, 1),
            (30_000_000, 10),
        ):
            with row(amount):
                self.assertEqual(output_within(tariff, 10, amount, 0.0), expected)

    @given(st.integers(0, 10**6), st.integers(0, 10**6))
    def test_own_reservation(self, into: int, out: int) -> None:
        """What was reserved for so many tokens is enough for them."""
        tariff = Tariff.of({"input_tokens": Price(Decimal("0.15")), "output_tokens": Price(Decimal("0.6"))})
        amount = at_most(tariff, Estimate(into, out), 0.0) or 0
        self.assertGreaterEqual(output_within(tariff, into, amount, 0.0), out)
