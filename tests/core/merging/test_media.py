"""Streams of pictures, speech and transcripts, merged."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

from .pairs import SSE, Pair, PairsMixin, data, typed

_USAGE = {"total_tokens": 9}

PAIRS = {
    "a picture": Pair(
        SSE,
        typed(
            {"type": "image_generation.partial_image", "b64_json": "AA", "partial_image_index": 0},
            {"type": "image_generation.completed", "b64_json": "BB", "created_at": 5, "size": "1x1", "usage": _USAGE},
        ),
        {"created": 5, "size": "1x1", "usage": _USAGE, "data": [{"b64_json": "BB"}]},
        "media",
    ),
    "a transcript": Pair(
        SSE,
        data(
            [
                {"type": "transcript.text.delta", "delta": "He"},
                {"type": "transcript.text.delta", "delta": "y"},
                {"type": "transcript.text.done", "text": "Hey", "usage": _USAGE},
            ],
            done=False,
        ),
        {"text": "Hey", "usage": _USAGE},
        "media",
    ),
    "speech": Pair(
        SSE,
        data(
            [{"type": "speech.audio.delta", "audio": "AA"}, {"type": "speech.audio.done", "usage": _USAGE}], done=False
        ),
        {"usage": _USAGE},
        "media",
    ),
}


class MediaTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_cut(self) -> None:
        """A transcript that is cut has what was said by then, and its segments."""
        events = [
            {"type": "transcript.text.delta", "delta": "He"},
            {"type": "transcript.text.segment", "text": "He", "speaker": "A"},
            {"type": "transcript.text.delta", "delta": "y"},
        ]
        found = merged(data(events, done=False), SSE)
        self.assertEqual(found.content, {"text": "Hey", "segments": [{"text": "He", "speaker": "A"}]})
        self.assertFalse(found.is_whole)

    def test_error(self) -> None:
        """An error stands beside what there was."""
        self.assertEqual(
            merged(data([{"type": "speech.audio.delta"}, {"error": {"a": 1}}]), SSE).content, {"error": {"a": 1}}
        )
