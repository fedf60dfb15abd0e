"""Tests for L{llmproxy.core.telemetry.messages}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.telemetry.messages import input_messages, output_messages, parameters, spoken

from ...tables import row

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "messages input content parts role type text tool_calls function choices message output tools system "
                "candidates functionCall summary reasoning n stop".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


class InputTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What was said is a list of messages of parts, in whichever API it was asked."""
        call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"at":"Paris"}'}}
        called = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"at": "Paris"}}
        table: list[tuple[str, Any, list[Any]]] = [
            (
                "chat",
                {
                    "messages": [
                        {"role": "system", "content": "Be short."},
                        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "Weather?"}]},
                        {"role": "assistant", "content": None, "tool_calls": [call]},
                        {"role": "tool", "tool_call_id": "c1", "content": "rainy"},
                    ]
                },
                [
                    {"role": "system", "parts": [text("Be short.")]},
                    {"role": "user", "parts": [text("Weather?")], "name": "ann"},
                    {"role": "assistant", "parts": [called]},
                    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
                ],
            ),
            ("prompt", {"prompt": "Once"}, [{"role": "user", "parts": [text("Once")]}]),
            ("prompts", {"prompt": ["a", "b"]}, [{"role": "user", "parts": [text(each)]} for each in "ab"]),
            (
                "responses",
                {
                    "input": [
                        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"at":"Paris"}'},
                        {"type": "function_call_output", "call_id": "c1", "output": "rainy"},
                    ]
                },
                [
                    {"role": "user", "parts": [text("Hi")]},
                    {"role": "assistant", "parts": [called]},
                    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
                ],
            ),
            (
                "messages",
                {
                    "messages": [
                        {"role": "user", "content": "Weather?"},
                        {
                            "role": "assistant",
                            "content": [
                                {"type": "thinking", "thinking": "Hm."},
                                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"at": "Paris"}},
                            ],
                        },
                        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rainy"}]},
                    ]
                },
                [
                    {"role": "user", "parts": [text("Weather?")]},
                    {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}, called]},
                    {"role": "user", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy"}]},
                ],
            ),
            (
                "gemini",
                {
                    "contents": [
                        {"role": "user", "parts": [{"text": "Weather?"}]},
                        {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"at": "Paris"}}}]},
                    ]
                },
                [
                    {"role": "user", "parts": [text("Weather?")]},
                    {
                        "role": "assistant",
                        "parts": [{"type": "tool_call", "name": "weather", "arguments": {"at": "Paris"}}],
                    },
                ],
            ),
            (
                "picture",
                {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]},
                [{"role": "user", "parts": [{"type": "image_url", "image_url": {"url": "https://x"}}]}],
            ),
            ("nothing", {}, []),
            ("text", "Hi", [{"role": "user", "parts": [text("Hi")]}]),
            ("none", None, []),
        ]
        for name, body, expected in table:
            with row(name):
                self.assertEqual(input_messages(body), expected)


class OutputTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What was answered is a message for each choice, with why it ended in the words of the conventions."""
        table: list[tuple[str, Any, list[Any]]] = [
            (
                "chat",
                {
                    "choices": [
                        {"message": {"role": "assistant", "content": "Rainy."}, "finish_reason": "stop"},
                        {"message": {"content": None, "refusal": "No."}, "finish_reason": "content_filter"},
                    ]
                },
                [
                    {"role": "assistant", "parts": [text("Rainy.")], "finish_reason": "stop"},
                    {
                        "role": "assistant",
                        "parts": [{"type": "refusal", "content": "No."}],
                        "finish_reason": "content_filter",
                    },
                ],
            ),
            ("completion", {"choices": [{"text": "upon"}]}, [{"role": "assistant", "parts": [text("upon")]}]),
            (
                "messages",
                {"role": "assistant", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "max_tokens"},
                [{"role": "assistant", "parts": [text("Hi")], "finish_reason": "length"}],
            ),
            (
                "gemini",
                {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]},
                [{"role": "assistant", "parts": [text("Hi")], "finish_reason": "stop"}],
            ),
            (
                "responses",
                {
                    "status": "completed",
                    "output": [
                        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
                        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
                    ],
                },
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "reasoning", "content": "Hm."}, text("Hi")],
                        "finish_reason": "stop",
                    }
                ],
            ),
            (
                "ollama",
                {"message": {"role": "assistant", "content": "Hi"}, "done_reason": "stop"},
                [{"role": "assistant", "parts": [text("Hi")], "finish_reason": "stop"}],
            ),
            ("error", {"error": {"message": "no"}}, []),
        ]
        for name, body, expected in table:
            with row(name):
                self.assertEqual(output_messages(body), expected)


class SpokenTests(SynchronousTestCase):
    def test_attributes(self) -> None:
        """Messages, instructions and tools are texts of JSON; what a model was asked with has attributes of its own."""
        asked = {
            "model": "m",
            "system": "Be short.",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 1,
            "max_tokens": 10,
            "stop": "END",
            "n": 2,
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": {}}}],
        }
        answered = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "tool_calls"}]}
        found = spoken(Content(request_body=asked, response_body=answered))
        texts = {name: json.loads(value) for name, value in found.items() if isinstance(value, str)}
        self.assertEqual(
            texts,
            {
                "gen_ai.system_instructions": [text("Be short.")],
                "gen_ai.tool.definitions": [{"type": "function", "name": "weather"}],
                "gen_ai.input.messages": [{"role": "user", "parts": [text("Hi")]}],
                "gen_ai.output.messages": [{"role": "assistant", "parts": [text("Hi")], "finish_reason": "tool_call"}],
            },
        )
        self.assertEqual(
            {name: value for name, value in found.items() if name not in texts},
            {
                "gen_ai.request.temperature": 1.0,
                "gen_ai.request.max_tokens": 10,
                "gen_ai.request.choice.count": 2,
                "gen_ai.request.stop_sequences": ["END"],
                "gen_ai.response.finish_reasons": ["tool_call"],
            },
        )

    def test_parameters(self) -> None:
        """The same parameters under the names of other APIs."""
        for body, expected in (
            (
                {"max_output_tokens": 5, "reasoning": {"effort": "low"}, "previous_response_id": "r-1"},
                (5, "low", "r-1"),
            ),
            ({"generationConfig": {"maxOutputTokens": 5}, "reasoning_effort": "low"}, (5, "low", None)),
            ({"max_completion_tokens": 5, "max_tokens": 7}, (5, None, None)),
            ({"max_tokens": True}, (None, None, None)),
        ):
            found = parameters(body)
            names = ("max_tokens", "reasoning.level", "previous_response.id")
            self.assertEqual(tuple(found.get(f"gen_ai.request.{name}") for name in names), expected, body)
        for body, kind in (
            ({"response_format": {"type": "json_schema"}}, "json"),
            ({"text": {"format": {"type": "json_object"}}}, "json"),
            ({"generationConfig": {"responseMimeType": "application/json"}}, "json"),
            ({"response_format": {"type": "text"}}, "text"),
            ({}, None),
        ):
            self.assertEqual(parameters(body).get("gen_ai.output.type"), kind, body)

    def test_deep(self) -> None:
        """What is nested without end takes nothing else down with it."""
        deep: Any = "x"
        for _ in range(5000):
            deep = [deep]
        self.assertEqual(spoken(Content(request_body={"messages": [{"role": "user", "content": deep}]})), {})

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(ANYTHING, ANYTHING)
    def test_anything(self, asked: Any, answered: Any) -> None:
        """Whatever stands in a body, it is said somehow, and nothing fails."""
        for value in spoken(Content(request_body=asked, response_body=answered)).values():
            self.assertIsInstance(value, (str, int, float, list))
