"""Runs of assistants, merged."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

from .pairs import SSE, Pair, PairsMixin, named

_RUN = {"id": "run_1", "object": "thread.run", "status": "queued", "thread_id": "t", "assistant_id": "a", "usage": None}
_MESSAGE = {"id": "msg_1", "object": "thread.message", "status": "in_progress", "role": "assistant", "content": []}
_STEP = {"id": "step_1", "object": "thread.run.step", "step_details": {"type": "tool_calls", "tool_calls": []}}
_DONE = {**_RUN, "status": "completed", "usage": {"total_tokens": 3}}
_TEXT = [{"type": "text", "text": {"value": "Hello", "annotations": []}}]


def said(text: str) -> tuple[str, Any]:
    part = {"index": 0, "type": "text", "text": {"value": text, "annotations": []}}
    return "thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": [part]}}


def called(**call: Any) -> tuple[str, Any]:
    details = {"type": "tool_calls", "tool_calls": [{"index": 0, **call}]}
    return "thread.run.step.delta", {"id": "step_1", "delta": {"step_details": details}}


_BEGUN = [
    ("thread.run.created", _RUN),
    ("thread.run.queued", _RUN),
    ("thread.run.step.created", _STEP),
    called(id="c", type="function", function={"name": "f", "arguments": ""}),
    called(function={"arguments": '{"a"'}),
    called(function={"arguments": ":1}"}),
    ("thread.message.created", _MESSAGE),
    said("Hel"),
    said("lo"),
]
_STEP_CALLED = {
    **_STEP,
    "step_details": {
        "type": "tool_calls",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
    },
}

PAIRS = {
    "a run": Pair(
        SSE,
        named([*_BEGUN, ("thread.message.completed", {**_MESSAGE, "status": "completed", "content": _TEXT})])
        + named([("thread.run.completed", _DONE)])
        + b"event: done\ndata: [DONE]\n\n",
        {**_DONE, "messages": [{**_MESSAGE, "status": "completed", "content": _TEXT}], "steps": [_STEP_CALLED]},
        "thread.run",
    ),
    "one that needs something": Pair(
        SSE,
        named([("thread.run.created", _RUN), ("thread.run.requires_action", {**_RUN, "status": "requires_action"})]),
        {**_RUN, "status": "requires_action"},
        "thread.run",
    ),
}


class RunTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_cut(self) -> None:
        """Messages and steps that were not whole have what was said of them."""
        found = merged(named(_BEGUN), SSE)
        self.assertFalse(found.is_whole)
        self.assertEqual(found.content, {**_RUN, "messages": [{**_MESSAGE, "content": _TEXT}], "steps": [_STEP_CALLED]})

    def test_error(self) -> None:
        """An error that ends it stands beside the run."""
        found = merged(named([*_BEGUN[:1], ("error", {"message": "m"})]), SSE).content
        self.assertEqual(found, {**_RUN, "error": {"message": "m"}})
