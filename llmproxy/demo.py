"""
An upstream of our own, in the shape of OpenAI's API and a little of Anthropic's: no model, no network.

It answers with the words it was sent. It asks for its own key, so that one can see the proxy change it.
"""

from __future__ import annotations

import hmac
import json
import struct
from base64 import b64encode
from hashlib import sha256
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

CREATED = 1_700_000_000
MODELS = ("demo", "demo-embedding")


class DemoUpstream(Resource):
    """
    @param key: what a request must bring, as C{Authorization: Bearer} or C{x-api-key}.
    @param pause: seconds between two events of a stream.
    """

    isLeaf = True

    def __init__(self, reactor: Any, key: str, pause: float = 0.02) -> None:
        super().__init__()
        self._reactor = reactor
        self._key = key.encode()
        self._pause = pause

    def render(self, request: Any) -> Any:
        key = request.getHeader(b"x-api-key") or (request.getHeader(b"authorization") or b"").partition(b" ")[2]
        if not hmac.compare_digest(key, self._key):
            return _error(request, 401, "Incorrect API key provided", "invalid_api_key")
        method, path = request.method, request.path
        if method == b"GET" and path == b"/v1/models":
            return _json(request, {"object": "list", "data": [_model(name) for name in MODELS]})
        if method == b"GET" and path.startswith(b"/v1/models/"):
            return _json(request, _model(path[11:].decode("latin-1")))
        if method == b"POST" and path in (b"/v1/files", b"/v1/audio/transcriptions"):
            return _json(request, _file(request))
        if method != b"POST" or path not in _ANSWERS:
            return _error(request, 404, "There is no such path", "not_found")
        try:
            asked = json.loads(request.content.read())
        except ValueError:
            return _error(request, 400, "The body is not JSON", "invalid_json")
        if not isinstance(asked, dict):
            return _error(request, 400, "The body is not a JSON object", "invalid_json")
        answer, events = _ANSWERS[path]
        if asked.get("stream") and events is not None:
            return self._stream(request, events(asked))
        return _json(request, answer(asked))

    def _stream(self, request: Any, events: list[bytes]) -> int:
        request.setHeader(b"Content-Type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"Cache-Control", b"no-cache")
        running: Deferred[None] = Deferred.fromCoroutine(self._send(request, events))
        request.notifyFinish().addErrback(lambda _: running.cancel())
        running.addErrback(lambda reason: reason.trap(CancelledError))
        return NOT_DONE_YET

    async def _send(self, request: Any, events: list[bytes]) -> None:
        for event in events:
            request.write(event)
            await deferLater(self._reactor, self._pause)
        request.finish()


def _json(request: Any, value: object, status: int = 200) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"application/json")
    return json.dumps(value).encode()


def _error(request: Any, status: int, message: str, code: str) -> bytes:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return _json(request, {"error": error}, status)


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "llmproxy"}


def _file(request: Any) -> dict[str, object]:
    content = request.content.read()
    return {
        "id": "file-" + sha256(content).hexdigest()[:24],
        "object": "file",
        "bytes": len(content),
        "created_at": CREATED,
        "filename": "upload",
        "purpose": "assistants",
        "status": "processed",
        "text": "",
    }


def _words(asked: dict[str, Any]) -> list[str]:
    """What the last message says, in words."""
    messages = asked.get("messages") or [{}]
    content = messages[-1].get("content", "")
    if isinstance(content, list):
        content = " ".join(str(part.get("text", "")) for part in content)
    return ("You said: " + str(content)).split()


def _usage(asked: dict[str, Any]) -> dict[str, int]:
    said = len(_words(asked))
    return {"prompt_tokens": said - 2, "completion_tokens": said, "total_tokens": 2 * said - 2}


def _chat(asked: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": " ".join(_words(asked)), "refusal": None}
    return {
        "id": "chatcmpl-demo",
        "object": "chat.completion",
        "created": CREATED,
        "model": asked.get("model", "demo"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage(asked),
    }


def _chat_events(asked: dict[str, Any]) -> list[bytes]:
    words = _words(asked)
    pieces: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": word if at == 0 else " " + word} for at, word in enumerate(words)]
    chunks = [_chunk(asked, [{"index": 0, "delta": piece, "finish_reason": None}]) for piece in pieces]
    chunks.append(_chunk(asked, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    if (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append({**_chunk(asked, []), "usage": _usage(asked)})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def _chunk(asked: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-demo",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": asked.get("model", "demo"),
        "choices": choices,
    }


def _embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    texts = asked.get("input", "")
    texts = texts if isinstance(texts, list) else [texts]
    vectors = [[byte / 255 for byte in sha256(str(text).encode()).digest()[:8]] for text in texts]
    if asked.get("encoding_format") == "base64":
        shown: list[Any] = [b64encode(struct.pack("<8f", *vector)).decode() for vector in vectors]
    else:
        shown = vectors
    count = sum(len(str(text).split()) for text in texts)
    return {
        "object": "list",
        "model": asked.get("model", "demo-embedding"),
        "data": [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(shown)],
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def _message(asked: dict[str, Any]) -> dict[str, Any]:
    usage = _usage(asked)
    return {
        "id": "msg_demo",
        "type": "message",
        "role": "assistant",
        "model": asked.get("model", "demo"),
        "content": [{"type": "text", "text": " ".join(_words(asked))}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]},
    }


def _message_events(asked: dict[str, Any]) -> list[bytes]:
    whole = _message(asked)
    block = {"type": "text", "text": ""}
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]
    for at, word in enumerate(_words(asked)):
        delta = {"type": "text_delta", "text": word if at == 0 else " " + word}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    events.append({"type": "content_block_stop", "index": 0})
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    usage = {"output_tokens": whole["usage"]["output_tokens"]}
    events.append({"type": "message_delta", "delta": stop, "usage": usage})
    events.append({"type": "message_stop"})
    return [b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events]


_ANSWERS: dict[bytes, tuple[Any, Any]] = {
    b"/v1/chat/completions": (_chat, _chat_events),
    b"/v1/embeddings": (_embeddings, None),
    b"/v1/messages": (_message, _message_events),
}
