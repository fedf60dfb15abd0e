"""A connection to Redis that the test answers for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from llmproxy.redis.connection import RedisDown, RedisRefused


class FakeConnection:
    """
    @ivar sent: the words of each command, or of two that were sent together; the reply to those is a pair.
    @ivar answers: called with the words of a command as it is sent; its result is the reply at once, L{HOLD} keeps
        it waiting.
    """

    def __init__(self, answers: Callable[[list[bytes]], Any] | None = None) -> None:
        self.sent: list[list[bytes]] = []
        self.answers = answers or (lambda words: HOLD)
        self.lost: Deferred[None] = Deferred()
        self.aborted = False
        self._waiting: list[Deferred[Any]] = []

    def send(self, data: bytes, count: int = 1) -> Deferred[Any]:
        assert not self.aborted, "a command for a connection that is gone"
        words = [word for command in parse_all(data, count) for word in command]
        self.sent.append(words)
        reply: Deferred[Any] = Deferred()
        self._waiting.append(reply)
        answer = self.answers(words)
        if answer is not HOLD:
            assert len(self._waiting) == 1, "Redis answers in the order in which it was asked"
            self.answer(answer)
        return reply

    def answer(self, value: Any) -> None:
        """Answer the oldest command that waits; an exception is an error reply."""
        reply = self._waiting.pop(0)
        if isinstance(value, Exception):
            reply.errback(value)
        else:
            reply.callback(value)

    def refuse(self, text: str) -> None:
        self.answer(RedisRefused(text))

    def abort(self) -> None:
        if self.aborted:
            return
        self.aborted = True
        while self._waiting:
            self.answer(RedisDown("lost"))
        self.lost.callback(None)


HOLD = object()


class FakeConnector:
    """
    @ivar connections: those that were opened, in order.
    @ivar failure: what connecting fails with, or C{None}.
    """

    def __init__(self) -> None:
        self.connections: list[FakeConnection] = []
        self.failure: Exception | None = None
        self.attempts = 0
        self.answers: Callable[[list[bytes]], Any] | None = None

    def __call__(self) -> Deferred[FakeConnection]:
        self.attempts += 1
        result: Deferred[FakeConnection] = Deferred()
        if self.failure is not None:
            result.errback(self.failure)
        else:
            self.connections.append(FakeConnection(self.answers))
            result.callback(self.connections[-1])
        return result


def parse_all(data: bytes, count: int) -> list[list[bytes]]:
    """So many commands in RESP."""
    commands = []
    for _ in range(count):
        words, data = parse(data)
        commands.append(words)
    assert not data, data
    return commands


def parse(data: bytes) -> tuple[list[bytes], bytes]:
    """The words of one command, and what follows it."""
    head, _, rest = data.partition(b"\r\n")
    assert head.startswith(b"*"), data
    words = []
    for _ in range(int(head[1:])):
        length, _, rest = rest.partition(b"\r\n")
        assert length.startswith(b"$"), data
        size = int(length[1:])
        words.append(rest[:size])
        assert rest[size : size + 2] == b"\r\n", data
        rest = rest[size + 2 :]
    return words, rest
