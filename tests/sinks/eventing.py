"""Sinks of events for tests, and threads that are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import frozen
from treq.testing import StringStubbingResource, StubTreq
from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from llmproxy.core.events import Event
from llmproxy.core.events.receipts import Receipt
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks.registry import SinkTools


@implementer(IEventSink)
class TakingSink:
    """
    A receiver that the test has in its hand.

    @ivar answer: C{None} takes everything; an exception is what it fails with; C{"wait"} leaves it to the test.
    @ivar poison: ids that it never takes.
    """

    def __init__(self) -> None:
        verifyObject(IEventSink, self)
        self.batches: list[list[str]] = []
        self.answer: Any = None
        self.pending: list[Deferred[Receipt | None]] = []
        self.closed = 0

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        assert batch and not self.closed
        self.batches.append([event.id for event in batch])
        answer = self.answer(batch) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            return fail(answer)
        if answer == "wait":
            waiting: Deferred[Receipt | None] = Deferred()
            self.pending.append(waiting)
            return waiting
        return succeed(Receipt(200, "ok"))

    def close(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)

    @property
    def ids(self) -> list[str]:
        return [each for batch in self.batches for each in batch]


def at_once(call: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """A thread that is none."""
    return execute(call, *arguments)


@frozen
class Asked:
    """A request as the receiver saw it; names of fields are in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """
    A server in memory, behind treq's own client.

    @ivar answer: status and body, for every request; C{fields} its header fields.
    @ivar asked: what it was asked.
    """

    def __init__(self) -> None:
        self.answer = (200, b"thanks")
        self.fields: dict[bytes, list[bytes]] = {}
        self.asked: list[Asked] = []
        self.agent: Any = StubTreq(StringStubbingResource(self._respond))
        # treq follows redirects, and the proxy's client does not.
        self.agent.request = partial(self.agent.request, allow_redirects=False)

    def _respond(self, method: bytes, url: Any, params: Any, headers: Any, data: bytes) -> Any:
        fields = {name.decode().lower(): values[0].decode() for name, values in headers.items()}
        self.asked.append(Asked(_text(method), _text(url), fields, data))
        status, body = self.answer
        return status, {name.decode(): values[0].decode() for name, values in self.fields.items()}, body


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def tools(clock: Any = None, agent: Any = None, masking: Any = None, **values: Any) -> SinkTools:
    """What a sink of a test works with."""
    return SinkTools("hook", Clock() if clock is None else clock, agent, at_once, masking=masking, **values)
