"""Tests for L{llmproxy.providers.estimation}."""

from __future__ import annotations

import gzip
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.estimation import PER_CALL, PER_MESSAGE, Call, estimated, is_estimated
from llmproxy.usage import UNKNOWN, Usage

from .answers import JSON, NDJSON, SSE


def words(text: str, model: str = "") -> int:
    """A tokenizer to which a word is a token."""
    return len(text.split())


def events(*documents: Any, end: str = "\n\n") -> bytes:
    return "".join(f"event: x{end[: len(end) // 2]}data: {json.dumps(each)}{end}" for each in documents).encode()


ASK = {"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three"}]}
AROUND = PER_CALL + 2 * PER_MESSAGE


def counted(
    asked: Any, answer: bytes, media_type: bytes = JSON, usage: Usage = UNKNOWN, **more: Any
) -> tuple[Any, Any]:
    call = Call(json.dumps(asked).encode(), answer, media_type, **more)
    found = estimated(call, usage, words)
    return (None, None) if found is None else (found.input_tokens, found.output_tokens)


def answered(*documents: Any, media_type: bytes = JSON) -> int | None:
    """What came out, by an answer."""
    if media_type == SSE:
        body = events(*documents) + b"data: [DONE]\n\n"
        windows = events(*documents, end="\r\n\r\n")
        assert counted({}, body, SSE) == counted({}, windows, SSE), documents
    else:
        body = "\n".join(json.dumps(each) for each in documents).encode()
    out: int | None = counted({}, body, media_type)[1]
    return out


class AskedTests(SynchronousTestCase):
    def test_dialects(self) -> None:
        """The texts of a call, in each dialect, and no picture, name or type."""
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA BBBB"}}
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        for asked, expected in (
            (ASK, AROUND + 5),
            ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a b"}, picture]}]}, 7 + 2),
            ({**ASK, "tools": [tool]}, AROUND + 5 + 1),
            ({"model": "a b c", "prompt": "one two", "suffix": "x"}, 2),
            ({"prompt": ["one two", "three"]}, 3),
            ({"input": "one two"}, 2),
            ({"instructions": "be brief", "input": [{"role": "user", "content": "one"}]}, 3),
            ({"system": [{"type": "text", "text": "a b"}], "messages": [{"role": "user", "content": "c"}]}, 7 + 3),
            ({"contents": [{"role": "user", "parts": [{"text": "a b"}, {"inlineData": {"data": "x y"}}]}]}, 2),
            ({"systemInstruction": {"parts": [{"text": "a"}]}, "contents": []}, 1),
            ({}, 0),
        ):
            self.assertEqual(counted(asked, b"{}")[0], expected, asked)

    def test_no_call(self) -> None:
        """What is no call says nothing."""
        self.assertEqual(counted([1], b"{}"), (None, None))
        self.assertRaises(ValueError, estimated, Call(b"no", b"{}", JSON), UNKNOWN, words)


class SaidTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """The texts of an answer in one piece."""
        call = {"type": "function", "function": {"name": "f", "arguments": "a b"}}
        for answer, expected in (
            ({"id": "x y", "choices": [{"message": {"role": "assistant", "content": "one two"}}]}, 2),
            ({"choices": [{"message": {"content": None, "reasoning_content": "a b ", "tool_calls": [call]}}]}, 4),
            ({"choices": [{"text": "one two three"}]}, 3),
            ({"output": [{"type": "message", "content": [{"type": "output_text", "text": "a b"}]}]}, 2),
            (
                {
                    "content": [
                        {"type": "thinking", "thinking": "a ", "signature": "x y"},
                        {"type": "text", "text": "b"},
                    ]
                },
                2,
            ),
            ({"content": [{"type": "tool_use", "name": "f ", "input": {"city": "a b"}}]}, 3),
            ({"candidates": [{"content": {"parts": [{"text": "a b"}]}}], "modelVersion": "x y"}, 2),
            ({"model": "x y", "message": {"role": "assistant", "content": "a b"}}, 2),
            ({"response": "a b c"}, 3),
            ({"data": [{"embedding": [0.1]}]}, 0),
        ):
            self.assertEqual(answered(answer), expected, answer)

    def test_streamed(self) -> None:
        """Events, whose pieces of words are one word; what is said twice counts once."""
        for documents, expected in (
            ([{"choices": [{"delta": {"content": each}}], "usage": None} for each in ("on", "e tw", "o")], 2),
            (
                [
                    {"type": "response.created", "response": {"output": []}},
                    {"type": "response.output_text.delta", "delta": "one "},
                    {"type": "response.output_text.delta", "delta": "two"},
                    {"type": "response.output_text.done", "text": "one two"},
                    {"type": "response.completed", "response": {"output": [{"content": [{"text": "one two"}]}]}},
                ],
                2,
            ),
            (
                [
                    {"type": "message_start", "message": {"content": [], "usage": {"output_tokens": 1}}},
                    {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
                    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "a "}},
                    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "b "}},
                    {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}},
                ],
                3,
            ),
            ([{"candidates": [{"content": {"parts": [{"text": each}]}}]} for each in ("a", "b ", "c")], 2),
        ):
            self.assertEqual(answered(*documents, media_type=SSE), expected, documents)

    def test_others(self) -> None:
        """Lines, an array, a coding, and an answer that is cut."""
        lines = [{"message": {"content": each}} for each in ("a ", "b")]
        self.assertEqual(answered(*lines, media_type=NDJSON), 2)
        self.assertEqual(counted({}, json.dumps(lines).encode())[1], 2)
        stream = events(*({"choices": [{"delta": {"content": each}}]} for each in ("a ", "b ", "c")))
        self.assertEqual(counted({}, stream[:-20], SSE)[1], 2)
        self.assertEqual(counted({}, gzip.compress(stream)[:-5], SSE, codings=(b"gzip",))[1], 3)

    def test_known(self) -> None:
        """What the answer says stays as it is."""
        body = json.dumps({"response": "a b c"}).encode()
        self.assertEqual(counted(ASK, body, usage=Usage(output_tokens=99)), (AROUND + 5, 99))
        self.assertEqual(counted(ASK, body, usage=Usage(input_tokens=99)), (99, 3))


class WhereTests(SynchronousTestCase):
    def test_targets(self) -> None:
        """Where text is made of text, and nowhere else."""
        for target, expected in (
            (b"/v1/chat/completions?x=1", True),
            (b"/v1/completions", True),
            (b"/v1/messages", True),
            (b"/v1/responses", True),
            (b"/v1/embeddings", True),
            (b"/v1beta/models/gem:generateContent", True),
            (b"/v1beta/models/gem:streamGenerateContent?alt=sse", True),
            (b"/api/chat", True),
            (b"/model/x/converse", True),
            (b"/v1/audio/speech", False),
            (b"/v1/images/generations", False),
            (b"/v1/messages/count_tokens", False),
            (b"/v1/responses/resp_1/cancel", False),
            (b"/v1/messages/batches", False),
        ):
            self.assertEqual(is_estimated(target), expected, target)
