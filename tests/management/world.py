"""Rules over a real database, with the warm copies of a process that serves."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ProxyError, Unavailable
from llmproxy.management.state import State
from llmproxy.message import Principal
from llmproxy.store.directory import Directory

from ..store.databases import NOW, clock_at, opened, project

T = TypeVar("T")


class Counts:
    """
    Notes what it is asked for.

    @ivar away: the database cannot be written.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    def flush(self) -> Deferred[None]:
        return self._ask("flush")

    def settle(self, token_id: str) -> Deferred[None]:
        return self._ask(f"settle {token_id}")

    def _ask(self, what: str) -> Deferred[None]:
        self.asked.append(what)
        return fail(Unavailable("away")) if self.away else succeed(None)


@frozen
class Served:
    apis: tuple[str, ...] = ("anthropic", "gemini", "openai")
    default_api: str = "openai"
    listed: tuple[str, ...] = ("anthropic", "gemini", "openai")


class RulesTestCase(SynchronousTestCase):
    """There is a project C{p1}, and one that is not active, C{p2}."""

    def setUp(self) -> None:
        self.clock = clock_at(NOW)
        self.database = opened(self, clock=self.clock)
        self.directory = Directory(self.clock, self.database.tokens, self.database.projects)
        self.counts = Counts()
        self.state = State(
            self.clock.seconds, self.database.projects, self.database.tokens, self.directory, self.counts
        )
        for each in (project("p1"), project("p2", is_active=False)):
            self.successResultOf(self.database.projects.create(each))

    def done(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        result: T = self.successResultOf(Deferred.fromCoroutine(coroutine))
        return result

    def refused(self, error: type[ProxyError], message: str, coroutine: Coroutine[Deferred[Any], Any, Any]) -> None:
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), error)
        self.assertEqual(failure.value.message, message)

    def principal(self, secret: str) -> Principal:
        """As the proxied path sees it."""
        raw = secret.encode()
        found: Principal = self.directory.warm(raw) or self.successResultOf(self.directory.load(raw))
        return found
