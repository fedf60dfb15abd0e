"""Messages of Anthropic, merged."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged

from .pairs import SSE, Pair, PairsMixin, typed

_USAGE = {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 1, "service_tier": "standard"}
_MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": _USAGE,
}
START = {"type": "message_start", "message": _MESSAGE}
PING = {"type": "ping"}
STOP = {"type": "message_stop"}


def block(at: int, begun: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": at, "content_block": begun},
        *({"type": "content_block_delta", "index": at, "delta": each} for each in deltas),
        {"type": "content_block_stop", "index": at},
    ]


def text(*pieces: str) -> list[dict[str, Any]]:
    return [{"type": "text_delta", "text": piece} for piece in pieces]


def arguments(*pieces: str) -> list[dict[str, Any]]:
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def end(reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9, **usage}}, STOP]


def plain(*content: dict[str, Any], reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        **_MESSAGE,
        "content": list(content),
        "stop_reason": reason,
        "usage": {**_USAGE, "output_tokens": 9, **usage},
    }


_SEARCH = [{"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e"}]

PAIRS = {
    "text": Pair(
        SSE,
        typed(START, *block(0, {"type": "text", "text": ""}, *text("Hé", "llo")), PING, *end()),
        plain({"type": "text", "text": "Héllo"}),
        "message",
    ),
    "tools": Pair(
        SSE,
        typed(
            START,
            *block(0, {"type": "text", "text": ""}, *text("Let me see")),
            *block(
                1, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}, *arguments("", '{"ci', 'ty":"Bonn"}')
            ),
            *block(2, {"type": "tool_use", "id": "t2", "name": "g", "input": {}}, *arguments("")),
            *end("tool_use"),
        ),
        plain(
            {"type": "text", "text": "Let me see"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"city": "Bonn"}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
            reason="tool_use",
        ),
        "message",
    ),
    "thinking": Pair(
        SSE,
        typed(
            START,
            *block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "Hm"},
                {"type": "thinking_delta", "thinking": "m"},
                {"type": "signature_delta", "signature": "c2ln"},
            ),
            *block(1, {"type": "redacted_thinking", "data": "xx"}),
            *block(2, {"type": "text", "text": ""}, *text("42")),
            *end(output_tokens_details={"thinking_tokens": 4}),
        ),
        plain(
            {"type": "thinking", "thinking": "Hmm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "xx"},
            {"type": "text", "text": "42"},
            output_tokens_details={"thinking_tokens": 4},
        ),
        "message",
    ),
    "tools of the server, and citations": Pair(
        SSE,
        typed(
            START,
            *block(0, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, *arguments('{"q":1}')),
            *block(1, {"type": "web_search_tool_result", "tool_use_id": "s", "content": _SEARCH}),
            *block(
                2,
                {"type": "text", "text": "", "citations": []},
                {"type": "citations_delta", "citation": {"url": "u"}},
                *text("It is so"),
                {"type": "citations_delta", "citation": {"url": "v"}},
            ),
            *end(server_tool_use={"web_search_requests": 1}, cache_read_input_tokens=None),
        ),
        plain(
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": _SEARCH},
            {"type": "text", "text": "It is so", "citations": [{"url": "u"}, {"url": "v"}]},
            server_tool_use={"web_search_requests": 1},
        ),
        "message",
    ),
    "what comes later": Pair(
        SSE,
        typed(
            START,
            *block(
                0,
                {"type": "compaction", "content": None},
                {"type": "compaction_delta", "content": "sum"},
                {"type": "compaction_delta", "content": "mary"},
            ),
            *end(),
        ),
        plain({"type": "compaction", "content": "summary"}),
        "message",
    ),
}


class MessageTests(PairsMixin, SynchronousTestCase):
    PAIRS = PAIRS

    def test_cut(self) -> None:
        """What was said is there; arguments of a tool that are cut stay a text."""
        begun = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
        found = merged(typed(START, *block(0, begun, *arguments('{"city":"Bo'))[:-1]), SSE)
        self.assertEqual(found.content["content"], [{**begun, "input": '{"city":"Bo'}])
        self.assertFalse(found.is_whole)

    def test_without_its_beginning(self) -> None:
        """A stream that was joined late is put together all the same."""
        found = merged(typed(*block(1, {"type": "text", "text": ""}, *text("a"))[1:], STOP), SSE)
        self.assertEqual(found.content, {"content": [{"text": "a"}]})

    def test_error(self) -> None:
        """An error that ends the stream stands beside what there was."""
        error = {"type": "overloaded_error", "message": "Overloaded"}
        found = merged(
            typed(START, *block(0, {"type": "text", "text": ""}, *text("a")), {"type": "error", "error": error}), SSE
        )
        self.assertEqual((found.content["error"], found.content["content"]), (error, [{"type": "text", "text": "a"}]))
        self.assertTrue(found.is_whole)
