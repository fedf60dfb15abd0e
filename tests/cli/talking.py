"""Answers for conversations in tests."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from typing import Any

from llmproxy.cli.conversation import Conversation
from llmproxy.providers.chat import Wishes
from llmproxy.providers.registry import SHAPES


class Response:
    """What is used of L{http.client.HTTPResponse}; interrupts or breaks where the test says."""

    def __init__(self, status: int, kind: str, content: bytes, after: BaseException | None = None) -> None:
        self.status = status
        self.headers = Message()
        self.headers["Content-Type"] = kind
        self.headers["X-Request-ID"] = "r-1"
        self._content = io.BytesIO(content)
        self._after = after

    def getheader(self, name: str, default: str = "") -> str:
        return str(self.headers.get(name, default))

    def read(self, size: int) -> bytes:
        return self._content.read(size)

    def readline(self, size: int) -> bytes:
        line = self._content.readline(size)
        if not line and self._after is not None:
            raise self._after
        return line


class Api:
    """
    Gives its answers in turn.

    @ivar asked: path, header section and body of each request.
    """

    def __init__(self, *responses: Response) -> None:
        self.responses = list(responses)
        self.asked: list[tuple[str, Mapping[str, str], Any]] = []
        self.open = 0

    @contextmanager
    def opened(self, method: str, path: str, fields: Mapping[str, str], body: bytes) -> Iterator[Any]:
        self.asked.append((path, fields, json.loads(body)))
        self.open += 1
        try:
            yield self.responses.pop(0)
        finally:
            self.open -= 1


def stream(*pieces: str, end: bool = True, after: BaseException | None = None) -> Response:
    events = [json.dumps({"choices": [{"delta": {"content": piece}}]}) for piece in pieces] + (
        ["[DONE]"] if end else []
    )
    text = "".join(f"data: {event}\n\n" for event in events)
    return Response(200, "text/event-stream; charset=utf-8", text.encode(), after)


def refusal(status: int, **said: Any) -> Response:
    return Response(status, "application/json", json.dumps(said).encode())


def conversation(*responses: Response, **wishes: Any) -> tuple[Conversation, Api]:
    api = Api(*responses)
    return Conversation(api, "sk-token", SHAPES["openai"], Wishes("m", **wishes)), api  # type: ignore[arg-type]
