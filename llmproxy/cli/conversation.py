"""A conversation so far, and the next answer as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any

from ..providers.chat import ChatShape, Message, Wishes
from .faults import Fault, fault_of_status
from .http import Answer, Http
from .management import words_of

MAX_LINE = 16 * 1024 * 1024
"""Bytes; one event with an image in it is still far below."""

MAX_ANSWER = 64 * 1024 * 1024


class Conversation:
    """
    @param prefix: what stands before the API's own path: C{/groq} for an API that is not the default one.
    @ivar wishes: what is asked for besides the text; may be replaced between two questions.
    @ivar request_id: of the last answer.
    """

    def __init__(self, http: Http, token: str, shape: ChatShape, wishes: Wishes, prefix: str = "") -> None:
        self._http = http
        self._token = token
        self._shape = shape
        self._prefix = prefix
        self.wishes = wishes
        self.messages: list[Message] = []
        self.request_id = ""

    def forget(self) -> None:
        """Begin anew."""
        self.messages.clear()

    def ask(self, text: str) -> Iterator[str]:
        """
        Ask, and give the answer piece by piece.

        What came is remembered, also of an answer that is stopped by closing the iterator, as what is said next may
        refer to it; a question without any answer is forgotten.

        @raise Fault: the proxy or the API refused, or could not be reached.
        """
        self.messages.append({"role": "user", "content": text})
        said: list[str] = []
        try:
            for piece in self._pieces():
                said.append(piece)
                yield piece
        finally:
            if said:
                self.messages.append({"role": "assistant", "content": "".join(said)})
            else:
                self.messages.pop()

    def _pieces(self) -> Iterator[str]:
        body = json.dumps(self._shape.body(self.messages, self.wishes)).encode()
        fields = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if self.wishes.stream else "application/json",
            "User-Agent": "llmproxy-cli",
        }
        with self._http.opened("POST", self._prefix + self._shape.path, fields, body) as response:
            self.request_id = response.getheader("X-Request-ID", "")
            if response.status != 200:
                raise _refusal(response)
            if response.getheader("Content-Type", "").startswith("text/event-stream"):
                for event in events_of(response):
                    _check(event)
                    if piece := self._shape.text_of_event(event):
                        yield piece
            else:
                yield self._shape.text_of_answer(_json(response.read(MAX_ANSWER)))


def events_of(response: HTTPResponse) -> Iterator[Any]:
    """
    The JSON of each event of a stream, until C{[DONE]}
    (U{https://html.spec.whatwg.org/multipage/server-sent-events.html}).

    @raise Fault: an event is no JSON, or longer than any.
    """
    data: list[bytes] = []
    while line := response.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise Fault("an event of the answer is too long")
        line = line.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            text, data = b"\n".join(data), []
            if text == b"[DONE]":
                return
            yield _json(text)


def _check(event: Any) -> None:
    """Vendors tell what goes wrong within a stream as an event."""
    error = event.get("error") if isinstance(event, dict) else None
    if error:
        words = error.get("message") if isinstance(error, dict) else error
        raise Fault(f"the answer broke off: {words}")


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Fault("the answer is not what the API should say") from None


def _refusal(response: HTTPResponse) -> Fault:
    answer = Answer(response.status, response.headers, response.read(MAX_ANSWER))
    return fault_of_status(response.status, words_of(answer))
