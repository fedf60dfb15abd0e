"""Streams of every shape, merged: cut anywhere, of no known shape, and hostile ones."""

from __future__ import annotations

import json
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged
from llmproxy.core.merging.merge import MERGERS, MOST_LISTED

from . import (
    test_chat,
    test_cohere,
    test_converse,
    test_gemini,
    test_media,
    test_messages,
    test_ollama,
    test_responses,
    test_threads,
)
from .pairs import AWS_EVENTS, NDJSON, SSE, Pair, data, lines

SHAPES = (
    test_chat,
    test_cohere,
    test_converse,
    test_gemini,
    test_media,
    test_messages,
    test_ollama,
    test_responses,
    test_threads,
)
PAIRS: dict[str, Pair] = {
    f"{module.__name__.rpartition('.')[2]}: {name}": pair for module in SHAPES for name, pair in module.PAIRS.items()
}


class PairTests(SynchronousTestCase):
    def test_every_shape_has_pairs(self) -> None:
        """No shape is without a stream and its plain answer."""
        self.assertEqual({pair.kind for pair in PAIRS.values()}, {kind.kind for kind in MERGERS})

    def test_cut_anywhere(self) -> None:
        """However much of a stream there is, it is put together, into something that can be written."""
        for name, pair in PAIRS.items():
            step = 1 + len(pair.stream) // 150
            wholes = []
            for at in range(1, len(pair.stream), step):
                found = merged(pair.stream[:at], pair.media_type)
                json.dumps(found.content)
                wholes.append(found.is_whole and found.kind == pair.kind)
            self.assertFalse(any(wholes[: len(wholes) // 3]), name)

    def test_ends_of_lines(self) -> None:
        """Whatever ends the lines of events, the answer is the same."""
        for name, pair in PAIRS.items():
            if pair.media_type == SSE:
                for ending in (b"\r\n", b"\r"):
                    self.assertEqual(merged(pair.stream.replace(b"\n", ending), SSE).content, pair.plain, name)

    def test_comments_first(self) -> None:
        """Signs of life before and amid the events change nothing."""
        for name, pair in PAIRS.items():
            if pair.media_type == SSE:
                stream = b": alive\n\n" * 3 + pair.stream.replace(b"\n\n", b"\n\n: alive\n\n")
                self.assertEqual(merged(stream, SSE).content, pair.plain, name)


class UnknownTests(SynchronousTestCase):
    def test_events(self) -> None:
        """A stream of no known shape stays the list of its events."""
        found = merged(b'event: a\ndata: {"x":1}\n\ndata: text\n\ndata: [DONE]\n\n', SSE)
        self.assertEqual(found.content, [{"event": "a", "data": {"x": 1}}, {"data": "text"}])
        self.assertEqual((found.kind, found.is_whole), ("events", True))

    def test_cut(self) -> None:
        """It says where something is missing."""
        self.assertFalse(merged(b'data: {"x":1}\n\ndata: {"x"', SSE).is_whole)

    def test_nothing(self) -> None:
        """Nothing at all is an empty list."""
        for media_type in (SSE, NDJSON, AWS_EVENTS):
            self.assertEqual(merged(b"", media_type).content, [], media_type)

    def test_most(self) -> None:
        """So many of its events are kept and no more, and it says so."""
        found = merged(b"data: 1\n\n" * (MOST_LISTED + 5), SSE)
        self.assertEqual((len(found.content), found.is_whole), (MOST_LISTED, False))

    def test_late(self) -> None:
        """What is known is found behind what is not."""
        stream = lines({"status": "loading"}, {"model": "m", "response": "a", "done": True})
        self.assertEqual(merged(stream, NDJSON).content["response"], "a")


class HostileTests(SynchronousTestCase):
    """A megabyte of anything takes a moment: nothing grows with the square of what came."""

    MOST_SECONDS = 5.0

    def _merged(self, stream: bytes) -> Any:
        begun = time.perf_counter()
        found = merged(stream, SSE).content
        self.assertLess(time.perf_counter() - begun, self.MOST_SECONDS)
        return found

    def test_many_deltas(self) -> None:
        part = {
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": "x", "tool_calls": [{"index": 0, "id": "a", "function": {"name": "b"}}]},
                }
            ]
        }
        self._merged(data([part]) * 8_000)

    def test_many_indexes(self) -> None:
        self._merged(
            data({"choices": [{"index": 0, "delta": {"r": [{"index": at, "t": "x"}]}}]} for at in range(15_000))
        )

    def test_many_parts(self) -> None:
        self._merged(
            data(
                {
                    "type": "response.output_text.delta",
                    "output_index": at % 3,
                    "content_index": at,
                    "delta": "x",
                    "logprobs": [1],
                }
                for at in range(10_000)
            )
        )

    def test_deep(self) -> None:
        """What is nested too deeply is a text."""
        found = merged(b"data: " + b'{"a":' * 100_000 + b"\n\n", SSE)
        self.assertIsInstance(found.content[0]["data"], str)
