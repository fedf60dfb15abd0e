"""Chats and completions of OpenAI, merged."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

from .pairs import SSE, Pair, PairsMixin, data

_TOP = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 5,
    "model": "gpt-4o",
    "system_fingerprint": "fp",
}
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def chunk(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**_TOP, "choices": list(choices), **more}


def delta(index: int = 0, finish: str | None = None, logprobs: Any = None, **said: Any) -> dict[str, Any]:
    return {"index": index, "delta": said, "logprobs": logprobs, "finish_reason": finish}


def plain(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**_TOP, "object": "chat.completion", "choices": list(choices), **more}


def choice(
    message: dict[str, Any], finish: str | None = "stop", index: int = 0, logprobs: Any = None
) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", **message}, "logprobs": logprobs, "finish_reason": finish}


def token(text: str) -> dict[str, Any]:
    return {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []}


def call(index: int | None, known_as: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    part: dict[str, Any] = {} if index is None else {"index": index}
    if known_as is not None:
        part |= {"id": known_as, "type": "function"}
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {**part, "function": function}


def called(known_as: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": known_as, "type": "function", "function": {"name": name, "arguments": arguments}}


CALLS = [called("call_a", "weather", '{"city":"Bonn"}'), called("call_b", "time", "{}")]
_WHOLE_CALLS = choice({"content": None, "tool_calls": CALLS}, "tool_calls")

PAIRS = {
    "text and usage": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content="", refusal=None), usage=None, obfuscation="xx"),
                chunk(delta(content="Hé"), usage=None, obfuscation="x"),
                chunk(delta(content="l"), usage=None),
                chunk(delta(content="l"), usage=None),
                chunk(delta(content="o"), usage=None),
                chunk(delta(finish="stop"), usage=None),
                chunk(usage=_USAGE),
            ]
        ),
        plain(choice({"content": "Héllo", "refusal": None}), usage=_USAGE),
        "chat.completion",
    ),
    "nobody asked for the usage": Pair(
        SSE,
        data([chunk(delta(role="assistant", content="a"), usage=None), chunk(delta(finish="length"), usage=None)]),
        plain(choice({"content": "a"}, "length")),
        "chat.completion",
    ),
    "several choices, mixed": Pair(
        SSE,
        data(
            [
                chunk(delta(1, role="assistant", content="b")),
                chunk(delta(0, role="assistant", content="a")),
                chunk(delta(0, content="A"), delta(1, content="B")),
                chunk(delta(1, finish="length")),
                chunk(delta(0, finish="stop")),
            ]
        ),
        plain(choice({"content": "aA"}), choice({"content": "bB"}, "length", 1)),
        "chat.completion",
    ),
    "calls of tools": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content=None, tool_calls=[call(0, "call_a", "weather", "")])),
                chunk(delta(tool_calls=[call(0, None, None, '{"ci')])),
                chunk(delta(tool_calls=[call(1, "call_b", "time", "{}"), call(0, None, None, 'ty":"Bonn"}')])),
                chunk(delta(finish="tool_calls")),
            ]
        ),
        plain(_WHOLE_CALLS),
        "chat.completion",
    ),
    "calls without an index": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", tool_calls=[call(None, "call_a", "weather", '{"city"')])),
                chunk(delta(tool_calls=[call(None, None, None, ':"Bonn"}')])),
                chunk(delta(tool_calls=[call(None, "call_b", "time", "{}")], finish="tool_calls")),
            ]
        ),
        plain(_WHOLE_CALLS),
        "chat.completion",
    ),
    "calls that all have the index 0": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", tool_calls=[call(0, "call_a", "weather", '{"city":"Bonn"}')])),
                chunk(delta(tool_calls=[call(0, "call_b", "time", "{}")], finish="tool_calls")),
            ]
        ),
        plain(_WHOLE_CALLS),
        "chat.completion",
    ),
    "id and name with every part": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", tool_calls=[call(0, "call_a", "weather", '{"city":')])),
                chunk(delta(role="assistant", tool_calls=[call(0, "call_a", "weather", '"Bonn"}')])),
                chunk(delta(tool_calls=[call(1, "call_b", "time", "{}")], finish="tool_calls")),
            ]
        ),
        plain(_WHOLE_CALLS),
        "chat.completion",
    ),
    "a function, as it was before tools": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content=None, function_call={"name": "f", "arguments": ""})),
                chunk(delta(function_call={"arguments": "{}"})),
                chunk(delta(finish="function_call")),
            ]
        ),
        plain(choice({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call")),
        "chat.completion",
    ),
    "a refusal": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content=None, refusal="")),
                chunk(delta(refusal="I can")),
                chunk(delta(refusal="not")),
                chunk(delta(finish="stop")),
            ]
        ),
        plain(choice({"content": None, "refusal": "I cannot"})),
        "chat.completion",
    ),
    "reasoning": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content=None, reasoning_content="Let ")),
                chunk(delta(reasoning_content="me think")),
                chunk(delta(content="4")),
                chunk(delta(content="2", finish="stop")),
            ]
        ),
        plain(choice({"content": "42", "reasoning_content": "Let me think"})),
        "chat.completion",
    ),
    "reasoning in details": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", reasoning_details=[{"type": "reasoning.text", "text": "a", "index": 0}])),
                chunk(delta(reasoning_details=[{"type": "reasoning.text", "text": "b", "signature": "s", "index": 0}])),
                chunk(delta(content="c", finish="stop")),
            ]
        ),
        plain(
            choice(
                {
                    "content": "c",
                    "reasoning_details": [{"type": "reasoning.text", "text": "ab", "signature": "s", "index": 0}],
                }
            )
        ),
        "chat.completion",
    ),
    "thinking in content": Pair(
        SSE,
        data(
            [
                chunk(
                    delta(
                        role="assistant",
                        content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}],
                    )
                ),
                chunk(delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "m."}]}])),
                chunk(delta(content="4")),
                chunk(delta(content="2", finish="stop")),
            ]
        ),
        plain(
            choice(
                {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]},
                        {"type": "text", "text": "42"},
                    ]
                }
            )
        ),
        "chat.completion",
    ),
    "log probabilities": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content="a", logprobs={"content": [token("a")], "refusal": None})),
                chunk(delta(content="b", logprobs={"content": [token("b")], "refusal": None})),
                chunk(delta(finish="stop")),
            ]
        ),
        plain(
            choice({"content": "ab"}, logprobs={"content": [token("a"), token("b")], "refusal": None}),
        ),
        "chat.completion",
    ),
    "sound": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content=None, audio={"id": "au", "transcript": "He"})),
                chunk(delta(audio={"transcript": "y", "data": "AAAA"})),
                chunk(delta(audio={"data": "BBBB", "expires_at": 9})),
                chunk(delta(finish="stop")),
            ]
        ),
        plain(
            choice({"content": None, "audio": {"id": "au", "transcript": "Hey", "data": "AAAABBBB", "expires_at": 9}})
        ),
        "chat.completion",
    ),
    "citations": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content="a"), citations=["u"]),
                chunk(
                    delta(annotations=[{"type": "url_citation", "url_citation": {"url": "u"}}]), citations=["u", "v"]
                ),
                chunk(delta(annotations=[{"type": "url_citation", "url_citation": {"url": "v"}}], finish="stop")),
            ]
        ),
        plain(
            choice(
                {
                    "content": "a",
                    "annotations": [
                        {"type": "url_citation", "url_citation": {"url": "u"}},
                        {"type": "url_citation", "url_citation": {"url": "v"}},
                    ],
                }
            ),
            citations=["u", "v"],
        ),
        "chat.completion",
    ),
    "filters of Azure": Pair(
        SSE,
        data(
            [
                {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [{"a": 1}]},
                chunk({**delta(role="assistant", content="a"), "content_filter_results": {}}),
                chunk({**delta(content="b"), "content_filter_results": {"hate": {"filtered": False}}}),
                chunk({**delta(finish="stop"), "content_filter_results": {}}),
            ]
        ),
        plain(
            {**choice({"content": "ab"}), "content_filter_results": {"hate": {"filtered": False}}},
            prompt_filter_results=[{"a": 1}],
        ),
        "chat.completion",
    ),
    "usage of Groq": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content="a"), x_groq={"id": "r"}),
                chunk(delta(finish="stop"), x_groq={"id": "r", "usage": _USAGE}),
            ]
        ),
        plain(choice({"content": "a"}), x_groq={"id": "r", "usage": _USAGE}),
        "chat.completion",
    ),
    "usage in every part": Pair(
        SSE,
        data(
            [
                chunk(delta(role="assistant", content="a"), usage={**_USAGE, "completion_tokens": 1}),
                chunk(delta(finish="stop"), usage=_USAGE),
            ]
        ),
        plain(choice({"content": "a"}), usage=_USAGE),
        "chat.completion",
    ),
    "completions": Pair(
        SSE,
        data(
            {
                "id": "cmpl",
                "object": "text_completion",
                "created": 5,
                "model": "m",
                "choices": [{"index": at, "text": text, "logprobs": logprobs, "finish_reason": finish}],
            }
            for at, text, logprobs, finish in [
                (
                    0,
                    "a",
                    {"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": [{"a": -1}], "text_offset": [0]},
                    None,
                ),
                (1, "x", None, None),
                (
                    0,
                    "b",
                    {"tokens": ["b"], "token_logprobs": [-2], "top_logprobs": [{"b": -2}], "text_offset": [1]},
                    None,
                ),
                (0, "", None, "stop"),
                (1, "", None, "length"),
            ]
        ),
        {
            "id": "cmpl",
            "object": "text_completion",
            "created": 5,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "text": "ab",
                    "logprobs": {
                        "tokens": ["a", "b"],
                        "token_logprobs": [-1, -2],
                        "top_logprobs": [{"a": -1}, {"b": -2}],
                        "text_offset": [0, 1],
                    },
                    "finish_reason": "stop",
                },
                {"index": 1, "text": "x", "logprobs": None, "finish_reason": "length"},
            ],
        },
        "chat.completion",
    ),
}


class ChatTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_cut(self) -> None:
        """Of a stream that breaks off, what was said by then is there, and it says that it is not whole."""
        found = merged(
            data([chunk(delta(role="assistant", content="Hel")), chunk(delta(content="lo"))], done=False), SSE
        )
        self.assertFalse(found.is_whole)
        self.assertEqual(found.content["choices"], [choice({"content": "Hello"}, None)])

    def test_cut_call(self) -> None:
        """Arguments that break off stay as they came."""
        parts = [chunk(delta(role="assistant", content=None, tool_calls=[call(0, "c", "f", '{"a')]))]
        message = merged(data(parts, done=False), SSE).content["choices"][0]["message"]
        self.assertEqual(message["tool_calls"], [called("c", "f", '{"a')])

    def test_error(self) -> None:
        """An error amid a stream stands beside what was said before."""
        parts = [chunk(delta(role="assistant", content="a")), {"error": {"message": "overloaded"}}]
        content = merged(data(parts, done=False), SSE).content
        self.assertEqual(content["error"], {"message": "overloaded"})
        self.assertEqual(content["choices"][0]["message"]["content"], "a")

    def test_indexes_do_not_cost(self) -> None:
        """An index says where something stands, not how much room there is."""
        parts = [chunk(delta(10**18, content="a")), chunk(delta(-1, content="b")), chunk({**delta(), "index": "x"})]
        self.assertEqual(len(merged(data(parts), SSE).content["choices"]), 3)

    def test_nonsense(self) -> None:
        """What is no choice, no delta and no call is passed over."""
        parts = [
            {"choices": [1, None, {"delta": 5}, {"delta": {"tool_calls": [7, {"function": 3}], "content": 8}}]},
            {"choices": "none"},
        ]
        self.assertEqual(merged(data(parts), SSE).kind, "chat.completion")
