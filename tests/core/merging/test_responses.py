"""Responses of OpenAI, merged."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

from .pairs import SSE, Pair, PairsMixin, typed

_BEGUN: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "in_progress",
    "model": "m",
    "output": [],
    "usage": None,
}
_MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
}
_CALL = {"id": "fc_1", "type": "function_call", "name": "f", "call_id": "c", "arguments": '{"a":1}'}
_WHOLE = {
    **_BEGUN,
    "status": "completed",
    "output": [_MESSAGE, _CALL],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
}


def event(kind: str, **said: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": 0, **said}


_EVENTS = [
    event("created", response=_BEGUN),
    event("in_progress", response=_BEGUN),
    event("output_item.added", output_index=0, item={**_MESSAGE, "status": "in_progress", "content": []}),
    event(
        "content_part.added",
        output_index=0,
        content_index=0,
        part={"type": "output_text", "text": "", "annotations": []},
    ),
    event("output_text.delta", output_index=0, content_index=0, delta="Hel", obfuscation="x"),
    event("output_text.delta", output_index=0, content_index=0, delta="lo"),
    event("output_text.done", output_index=0, content_index=0, text="Hello"),
    event("content_part.done", output_index=0, content_index=0, part=_MESSAGE["content"][0]),
    event("output_item.done", output_index=0, item=_MESSAGE),
    event("output_item.added", output_index=1, item={**_CALL, "arguments": ""}),
    event("function_call_arguments.delta", output_index=1, delta='{"a"'),
    event("function_call_arguments.delta", output_index=1, delta=":1}"),
    event("function_call_arguments.done", output_index=1, arguments='{"a":1}'),
    event("output_item.done", output_index=1, item=_CALL),
]

PAIRS = {
    "all of it": Pair(SSE, typed(*_EVENTS, event("completed", response=_WHOLE)), _WHOLE, "response"),
    "incomplete": Pair(
        SSE,
        typed(*_EVENTS[:5], event("incomplete", response={**_WHOLE, "status": "incomplete"})),
        {**_WHOLE, "status": "incomplete"},
        "response",
    ),
    "failed": Pair(
        SSE,
        typed(_EVENTS[0], event("failed", response={**_BEGUN, "status": "failed", "error": {"code": "server_error"}})),
        {**_BEGUN, "status": "failed", "error": {"code": "server_error"}},
        "response",
    ),
    "the last event says nothing of the output": Pair(
        SSE, typed(*_EVENTS, event("completed", response={**_WHOLE, "output": []})), _WHOLE, "response"
    ),
}


class ResponseTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_without_its_end(self) -> None:
        """What came before the end that is missing is put together."""
        found = merged(typed(*_EVENTS), SSE)
        self.assertFalse(found.is_whole)
        self.assertEqual(found.content, {**_BEGUN, "output": [_MESSAGE, _CALL]})

    def test_amid_an_item(self) -> None:
        """An item that was not whole has what was said of it."""
        found = merged(typed(*_EVENTS[:5]), SSE).content
        self.assertEqual(found["output"][0]["content"], [{"type": "output_text", "text": "Hel", "annotations": []}])
        found = merged(typed(*_EVENTS[:11]), SSE).content
        self.assertEqual(found["output"][1]["arguments"], '{"a"')

    def test_other_parts(self) -> None:
        """Refusals, reasoning, annotations and the input of other tools are put together as well."""
        found = merged(
            typed(
                event("output_item.added", output_index=0, item={"type": "reasoning", "summary": []}),
                event("reasoning_summary_part.added", output_index=0, summary_index=0, part={"type": "summary_text"}),
                event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="Th"),
                event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="ink"),
                event("reasoning_text.delta", output_index=0, content_index=0, delta="deep"),
                event("refusal.delta", output_index=1, content_index=0, delta="no"),
                event("output_text.delta", output_index=1, content_index=1, delta="a", logprobs=[{"token": "a"}]),
                event("output_text.annotation.added", output_index=1, content_index=1, annotation={"url": "u"}),
                event("custom_tool_call_input.delta", output_index=2, delta="ls"),
                event("code_interpreter_call_code.delta", output_index=3, delta="1+1"),
                event("mcp_call_arguments.delta", output_index=4, delta="{}"),
            ),
            SSE,
        ).content
        self.assertEqual(
            found["output"],
            [
                {
                    "type": "reasoning",
                    "summary": [{"type": "summary_text", "text": "Think"}],
                    "content": [{"type": "reasoning_text", "text": "deep"}],
                },
                {
                    "content": [
                        {"type": "refusal", "refusal": "no"},
                        {
                            "type": "output_text",
                            "text": "a",
                            "logprobs": [{"token": "a"}],
                            "annotations": [{"url": "u"}],
                        },
                    ]
                },
                {"input": "ls"},
                {"code": "1+1"},
                {"arguments": "{}"},
            ],
        )

    def test_error(self) -> None:
        """An error that ends the stream stands beside what there was."""
        found = merged(typed(_EVENTS[0], {"type": "error", "code": "x", "message": "m"}), SSE)
        self.assertEqual(found.content, {**_BEGUN, "error": {"code": "x", "message": "m"}})
        self.assertTrue(found.is_whole)
