"""A receiver of events that the test answers for, behind treq's interface."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from llmproxy.core.masking import Masking
from llmproxy.sinks.registry import SinkTools


class FakeResponse:
    """
    @ivar protocol: what reads the content, once it is read.
    """

    def __init__(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.code = code
        self.headers = Headers({name: [value] for name, value in headers.items()})
        self.body: bytes | None = body
        self.transport = StringTransport()
        self.protocol: Any = None

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self.transport)
        if self.body is not None:
            self.send(self.body)
            self.end()

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def end(self, reason: Exception | None = None) -> None:
        self.protocol.connectionLost(Failure(reason or ResponseDone()))


class FakeAgent:
    """
    @ivar requests: method, URL, header fields, and the body of each request.
    @ivar answers: called with the body of a request; gives a status and what is answered, in JSON unless it is bytes,
        or an exception.
    @ivar given_up: how many requests were cancelled, where C{answers} gives C{None}.
    """

    def __init__(self, answers: Callable[[bytes], Any] | None = None) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers = answers or (lambda body: (200, {}))
        self.headers: dict[str, str] = {}
        self.given_up = 0

    def request(self, method: str, url: str, *, headers: dict[str, list[str]], data: bytes) -> Deferred[Any]:
        fields = {name: values[0] for name, values in headers.items()}
        self.requests.append((method, url, fields, data))
        answer = self.answers(data)
        if answer is None:
            return Deferred(lambda _: self._give_up())
        if isinstance(answer, Exception):
            return fail(answer)
        if isinstance(answer, FakeResponse):
            return succeed(answer)
        status, said = answer
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return succeed(FakeResponse(status, body, self.headers))

    def _give_up(self) -> None:
        self.given_up += 1

    @property
    def bodies(self) -> list[Any]:
        """What was sent, decoded."""
        return [json.loads(data) for _, _, _, data in self.requests]


def tools(agent: Any = None, clock: Any = None, **more: Any) -> SinkTools:
    """What a sink under test works with."""
    return SinkTools(
        name="under-test",
        reactor=clock or Clock(),
        agent=agent or FakeAgent(),
        run_in_thread=lambda call, *arguments: succeed(call(*arguments)),
        **{"masking": Masking(), **more},
    )
