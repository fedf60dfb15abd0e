"""The demo upstream as a resource: who may ask, what was asked, and which shape answers it."""

from __future__ import annotations

import hmac
import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from . import anthropic, openai
from .events import EventWriter

MAX_FILES = 20
"""Uploads that are remembered; the oldest goes."""


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@implementer(IResource)
class DemoUpstream(Resource):
    """
    Answers what the SDKs of OpenAI and Anthropic ask, with an echo.

    @param key: the only key that it takes, so that a call with any other is seen to fail.
    @param pause: seconds between two events of a stream.
    """

    isLeaf = True

    def __init__(self, clock: IReactorTime, key: str, pause: float = 0.02) -> None:
        super().__init__()
        self._clock = clock
        self._key = key.encode()
        self._pause = pause
        self._files: OrderedDict[str, tuple[dict[str, Any], bytes]] = OrderedDict()

    def render(self, request: Request) -> Any:
        anthropic_shaped = request.path == b"/v1/messages"
        request.setHeader(b"server", b"llmproxy-demo")
        try:
            self._check_key(request)
            answer = self._answer(request)
        except Refused as refused:
            shape = _anthropic_error if anthropic_shaped else _openai_error
            return self._json(request, shape(refused), refused.status)
        if isinstance(answer, bytes | int):
            return answer
        return self._json(request, answer)

    def _check_key(self, request: Request) -> None:
        header = request.getHeader
        given = header(b"x-api-key") or (header(b"authorization") or b"").removeprefix(b"Bearer ")
        if not hmac.compare_digest(given, self._key):
            raise Refused(401, "Incorrect API key provided: the demo upstream knows only its own.", "invalid_api_key")

    def _answer(self, request: Request) -> Any:
        path = request.path.decode("latin-1")
        route = (request.method.decode("latin-1"), path)
        if route in _POSTS:
            body = _json_body(request)
            needed, plain, events = _POSTS[route]
            _demand(body, "model", *needed)
            return self._stream(request, events(body)) if events and body.get("stream") is True else plain(body)
        if route == ("POST", "/v1/files"):
            return self._upload(request)
        if route == ("POST", "/v1/audio/transcriptions"):
            return {"text": f"A recording of {len(_part(request, b'file'))} bytes."}
        if request.method not in (b"GET", b"HEAD"):
            raise Refused(404, f"Unknown request URL: {route[0]} {path}", "unknown_url")
        return self._get(request, path)

    def _get(self, request: Request, path: str) -> Any:
        if path == "/v1/models":
            return openai.models()
        if path == "/v1/files":
            return {"object": "list", "data": [found for found, _ in self._files.values()], "has_more": False}
        kind, _, name = path.removeprefix("/v1/").partition("/")
        if kind == "models" and name in openai.MODELS:
            return openai.model(name)
        name, _, content = name.partition("/")
        if kind == "files" and name in self._files and content in ("", "content"):
            found, data = self._files[name]
            return data if content else found
        raise Refused(404, f"Unknown request URL or object: GET {path}", "not_found")

    def _upload(self, request: Request) -> Any:
        """C{request.args} holds the fields, but twisted.web drops the names of files; the demo gives its own."""
        content, purpose = _part(request, b"file"), _part(request, b"purpose").decode("utf-8", "replace")
        stored = openai.file_object("upload.bin", purpose, content)
        self._files[stored["id"]] = stored, content
        if len(self._files) > MAX_FILES:
            self._files.popitem(last=False)
        return stored

    def _stream(self, request: Request, events: Any) -> int:
        EventWriter(self._clock, request, events, self._pause).start()
        return NOT_DONE_YET

    def _json(self, request: Request, value: Any, status: int = 200) -> bytes:
        request.setResponseCode(status)
        request.setHeader(b"content-type", b"application/json")
        return json.dumps(value).encode()


Plain = Callable[[dict[str, Any]], dict[str, Any]]

_POSTS: dict[tuple[str, str], tuple[tuple[str, ...], Plain, Any]] = {
    ("POST", "/v1/chat/completions"): (("messages",), openai.chat_completion, openai.chat_events),
    ("POST", "/v1/embeddings"): (("input",), openai.embeddings, None),
    ("POST", "/v1/responses"): (("input",), openai.response, None),
    ("POST", "/v1/messages"): (("messages", "max_tokens"), anthropic.message, anthropic.message_events),
}
"""By method and path: the fields that must be there, what answers, and what answers as a stream."""


def _part(request: Request, name: bytes) -> bytes:
    """A field of a multipart form."""
    values: list[bytes] = (request.args or {}).get(name, [])
    if not values:
        raise Refused(400, f"Missing required parameter: '{name.decode()}'.", "missing_required_parameter")
    return values[0]


def _json_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.content.read() if request.content else b"")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "We could not parse the JSON body of your request.")
    return body


def _demand(body: dict[str, Any], *names: str) -> None:
    for name in names:
        if name not in body:
            raise Refused(400, f"Missing required parameter: '{name}'.", "missing_required_parameter")
    if not isinstance(body.get("messages", []), list):
        raise Refused(400, "Invalid type for 'messages': expected an array of objects.", "invalid_type")
    dimensions = body.get("dimensions", 1)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= 4096:
        raise Refused(400, "Invalid 'dimensions': expected an integer from 1 to 4096.", "invalid_value")


def _openai_error(refused: Refused) -> dict[str, Any]:
    return openai.error(str(refused), code=refused.code)


def _anthropic_error(refused: Refused) -> dict[str, Any]:
    kind = {401: "authentication_error", 404: "not_found_error"}.get(refused.status, "invalid_request_error")
    return anthropic.error(str(refused), kind)
