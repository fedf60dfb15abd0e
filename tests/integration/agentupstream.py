"""
An upstream that speaks to coding agents, without a model: what a prompt says decides about its answer.

C{python -m tests.integration.agentupstream PORT LOG}: each request is a line of JSON in LOG.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HELLO = "Hello from the upstream"
OVERLOADED = "SAY-OVERLOADED"
TOOL = re.compile(r"USE-A-TOOL-ON ([\w/.-]+)")
_SECRET_TEXT = re.compile(r"canary-[a-z0-9]+")


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log: Any = None
    lock = threading.Lock()

    def do_GET(self) -> None:
        self._note({})
        self._json(200, {"object": "list", "data": [{"id": "of-the-upstream", "object": "model"}]})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(content or b"{}")
        self._note(asked)
        text = json.dumps(asked.get("messages") or asked.get("input") or "")
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self._json(200, {"input_tokens": 5})
        elif OVERLOADED in text:
            error = {"type": "overloaded_error", "message": "Overloaded"}
            self._json(529, {"type": "error", "error": error})
        elif path == "/v1/messages":
            self._messages(asked, text)
        else:
            self._responses(asked, text)

    # -- Anthropic's messages

    def _messages(self, asked: dict[str, Any], text: str) -> None:
        block: dict[str, Any] = {"type": "text", "text": _answer(text, '"tool_result"')}
        file = TOOL.search(text)
        if file and '"tool_result"' not in text and asked.get("tools"):
            block = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": file[1]}}
        reason = "end_turn" if block["type"] == "text" else "tool_use"
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": asked.get("model"),
            "content": [block],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 1000, "output_tokens": 100},
        }
        if asked.get("stream"):
            self._events(_message_events(message, block, reason))
        else:
            self._json(200, message)

    # -- OpenAI's responses

    def _responses(self, asked: dict[str, Any], text: str) -> None:
        item: dict[str, Any] = {
            "type": "message",
            "id": "item_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": _answer(text, "function_call_output"), "annotations": []}],
        }
        file = TOOL.search(text)
        if file and "function_call_output" not in text:
            item = _call(asked, file[1]) or item
        response = {"id": "resp_1", "object": "response", "status": "in_progress", "model": asked.get("model")}
        usage = {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 100,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 1100,
        }
        done = {**response, "status": "completed", "output": [item], "usage": usage}
        events = [
            {"type": "response.created", "response": {**response, "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": done},
        ]
        self._events((each["type"], each) for each in events)

    # -- the wire

    def _json(self, status: int, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _events(self, events: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name, value in events:
            data = f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _note(self, asked: dict[str, Any]) -> None:
        line = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "model": asked.get("model"),
            "stream": asked.get("stream"),
        }
        with self.lock:
            self.log.write(json.dumps(line) + "\n")
            self.log.flush()

    def log_message(self, *args: Any) -> None:
        pass


def _answer(text: str, tool: str) -> str:
    found = _SECRET_TEXT.search(text) if tool in text else None
    return HELLO if found is None else f"The file says {found[0]}"


def _message_events(message: dict[str, Any], block: dict[str, Any], reason: str) -> Iterator[tuple[str, Any]]:
    usage = {"input_tokens": 1000, "output_tokens": 1}
    begun = {**message, "content": [], "stop_reason": None, "usage": usage}
    yield "message_start", {"type": "message_start", "message": begun}
    if block["type"] == "text":
        empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": empty}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": reason, "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 100}}
    yield "message_stop", {"type": "message_stop"}


def _call(asked: dict[str, Any], file: str) -> dict[str, Any] | None:
    """A call of whatever tool for commands the program offers."""
    names = {each.get("name") for each in asked.get("tools") or ()}
    arguments: dict[str, Any]
    for name, arguments in (
        ("exec_command", {"cmd": f"cat {file}"}),
        ("shell_command", {"command": f"cat {file}"}),
        ("shell", {"command": ["cat", file]}),
    ):
        if name in names:
            return {
                "type": "function_call",
                "id": "item_1",
                "call_id": "call_1",
                "name": name,
                "arguments": json.dumps(arguments),
                "status": "completed",
            }
    return None


def main(port: str, log: str) -> None:
    with open(log, "a") as Upstream.log:
        ThreadingHTTPServer(("127.0.0.1", int(port)), Upstream).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
