"""Lines of Ollama and events of llama.cpp, merged."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

from .pairs import NDJSON, SSE, Pair, PairsMixin, data, lines

_TOP = {"model": "l", "created_at": "2026-11-30T00:00:00Z"}
_CALL = {"function": {"name": "f", "arguments": {"a": 1}}}
_END = {"done": True, "done_reason": "stop", "total_duration": 5, "eval_count": 3}

PAIRS = {
    "chat": Pair(
        NDJSON,
        lines(
            {**_TOP, "message": {"role": "assistant", "content": "", "thinking": "H"}, "done": False},
            {**_TOP, "message": {"role": "assistant", "content": "", "thinking": "m"}, "done": False},
            {**_TOP, "message": {"role": "assistant", "content": "Hé"}, "done": False},
            {**_TOP, "message": {"role": "assistant", "content": "y", "tool_calls": [_CALL]}, "done": False},
            {**_TOP, "message": {"role": "assistant", "content": "", "tool_calls": [_CALL]}, **_END},
        ),
        {
            **_TOP,
            "message": {"role": "assistant", "content": "Héy", "thinking": "Hm", "tool_calls": [_CALL, _CALL]},
            **_END,
        },
        "generation",
    ),
    "generate": Pair(
        NDJSON,
        lines(
            {**_TOP, "response": "He", "done": False},
            {**_TOP, "response": "y", "done": False},
            {**_TOP, "response": "", "context": [1], **_END},
        ),
        {**_TOP, "response": "Hey", "context": [1], **_END},
        "generation",
    ),
    "llama.cpp's own": Pair(
        SSE,
        data(
            [
                {"index": 0, "content": "He", "tokens": [1], "stop": False},
                {"index": 0, "content": "y", "tokens": [2], "stop": False},
                {"index": 0, "content": "", "tokens": [], "stop": True, "tokens_predicted": 2},
            ],
            done=False,
        ),
        {"index": 0, "content": "Hey", "tokens": [1, 2], "stop": True, "tokens_predicted": 2},
        "generation",
    ),
}


class GenerationTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_cut(self) -> None:
        """What was said is there, and that it is not done."""
        found = merged(PAIRS["generate"].stream[:-20], NDJSON)
        self.assertEqual((found.content["response"], found.content["done"]), ("Hey", False))
        self.assertFalse(found.is_whole)

    def test_error(self) -> None:
        """An error stands beside what was said."""
        found = merged(lines({**_TOP, "response": "a", "done": False}, {"error": "gone"}), NDJSON).content
        self.assertEqual((found["response"], found["error"]), ("a", "gone"))
