"""Streams as the vendors' own SDKs put them together: an opinion that is not ours."""

from __future__ import annotations

import json
from typing import Any

from openai.types.chat import ChatCompletionChunk
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged
from llmproxy.core.merging.reading import DONE, parts

from .pairs import SSE, Pair
from .test_chat import PAIRS as CHATS
from .test_messages import PAIRS as MESSAGES

try:
    from anthropic.lib.streaming._messages import accumulate_event
    from openai.lib.streaming.chat._completions import ChatCompletionStreamState
except ImportError as error:
    MISSING = f"the SDKs are too old: {error}"
else:
    MISSING = ""

OTHERWISE = {
    "id and name with every part": "the SDK joins the id with itself",
    "calls without an index": "the SDK fails",
    "calls that all have the index 0": "the SDK joins both",
    "thinking in content": "the SDK knows texts only",
    "several choices, mixed": "the SDK wants them in their order",
    "citations": "the SDK wants an index",
    "usage of Groq": "the SDK keeps what it does not know as it came first",
    "completions": "these are no chats",
    "sound": "the SDK joins nothing of it",
    "filters of Azure": "the first part has the id then",
}
"""Streams of compatible servers, which the SDK was not made for."""


def documents(pair: Pair) -> list[Any]:
    return [part.content for part in parts(pair.stream, SSE) if part.content != DONE]


def spare(value: Any) -> Any:
    """Without what says nothing: SDKs fill in what is missing."""
    if isinstance(value, dict):
        return {name: spare(each) for name, each in value.items() if each not in (None, [], {})}
    return [spare(each) for each in value] if isinstance(value, list) else value


class SdkTests(SynchronousTestCase):
    skip = MISSING or None

    def test_openai(self) -> None:
        """Chats are what OpenAI's SDK makes of them."""
        compared = 0
        for name, pair in CHATS.items():
            if name in OTHERWISE:
                continue
            state: Any = ChatCompletionStreamState()
            for document in documents(pair):
                state.handle_chunk(ChatCompletionChunk.model_validate(document))
            theirs = json.loads(state.current_completion_snapshot.model_dump_json(exclude_unset=True))
            ours: Any = spare(merged(pair.stream, SSE).content)
            self.assertEqual(spare(_as_plain(theirs)), ours, name)
            compared += 1
        self.assertGreaterEqual(compared, 9)

    def test_anthropic(self) -> None:
        """Messages are what Anthropic's SDK makes of them."""
        for name, pair in MESSAGES.items():
            if name == "what comes later":
                continue
            snapshot: Any = None
            buffers: dict[int, bytes] = {}
            for document in documents(pair):
                if document["type"] != "ping":
                    snapshot = accumulate_event(event=document, current_snapshot=snapshot, json_bufs=buffers)
            assert snapshot is not None
            theirs = json.loads(snapshot.model_dump_json(exclude_unset=True))
            self.assertEqual(_content(theirs), _content(merged(pair.stream, SSE).content), name)


def _as_plain(theirs: Any) -> Any:
    """Calls of tools keep the index of the stream in the SDK, and tools are parsed."""
    for choice in theirs["choices"]:
        for call in choice["message"].get("tool_calls") or ():
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        choice["message"].pop("parsed", None)
    return {**theirs, "object": "chat.completion"}


def _content(message: Any) -> Any:
    return spare({name: each for name, each in message.items() if name != "usage"})
