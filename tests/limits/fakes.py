"""A store of limits whose Redis the test is."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.values import Rule
from llmproxy.core.limits.verdicts import Crossed, Part, Refusal, Reservation
from llmproxy.limits import scripts
from llmproxy.limits.redis import RedisLimits
from llmproxy.redis.pool import RedisPool
from llmproxy.redis.script import Script

from ..cache.fakeredis import HOLD, FakeConnection, FakeConnector

REQUESTS = Rule("requests", "token:t", 100, "rpm_limit of t", "1m")
TOKENS = Rule("tokens", "token:t", 1000, "tpm_limit of t", "1m")
PARALLEL = Rule("parallel", "token:t", 2, "max_parallel_requests of t")
BUDGET = Rule("money", "token:t", 1000, "max_budget of t", "1d", soft=600)

NAMES = {value.sha: name for name, value in vars(scripts).items() if isinstance(value, Script)}


class LimitsTestCase(SynchronousTestCase):
    """
    @ivar replies: to scripts, by name, as they are sent; of a list one after the other; L{HOLD} keeps them waiting.
    @ivar ran: the scripts that were called, and the words behind their name.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.connector = FakeConnector()
        self.connector.answers = self._answer
        self.replies: dict[str, Any] = {"RESERVE": [b"ok", 1_700_000_000, 1_700_000_000_000]}
        self.ran: list[tuple[str, list[bytes]]] = []
        self.spent: Any = 0
        self.asked: list[Rule] = []
        self.warned: list[Crossed] = []
        self.pool = RedisPool(self.clock, self.connector, 1, 1.0)
        self.said: list[str] = []
        self.pool._complaints.say = lambda kind, why: self.said.append(f"{kind}: {why}")  # type: ignore[method-assign]
        self.store = RedisLimits(self.clock, self.pool, b"p:", self._spent, self.warned.append)
        self.store.start()
        self.addCleanup(self.store.stop)

    @property
    def redis(self) -> FakeConnection:
        return self.connector.connections[-1]

    def reserve(self, *parts: Part) -> Deferred[Reservation | Refusal]:
        return maybeDeferred(self.store.reserve, parts)

    def held(self, *parts: Part) -> Reservation:
        """What is admitted."""
        found = self.successResultOf(self.reserve(*parts))
        assert isinstance(found, Reservation), found
        return found

    def refused(self, *parts: Part) -> Refusal:
        found = self.successResultOf(self.reserve(*parts))
        assert isinstance(found, Refusal), found
        return found

    def pass_time(self, seconds: float) -> None:
        """In steps in which nothing that is due comes late."""
        self.clock.pump([0.01] * (ceil(seconds * 100) + 1))

    def part_names(self, name: str) -> list[Sequence[bytes]]:
        """The words of each call of a script."""
        return [words for one, words in self.ran if one == name]

    def lose(self, failure: Exception | None = None) -> None:
        """Redis is away until C{connector.failure} is C{None} again."""
        self.connector.failure = failure or ConnectionRefusedError("refused")
        self.redis.abort()

    def _answer(self, words: list[bytes]) -> Any:
        if words[0] == b"PING":
            return self.replies.get("PING", b"PONG")
        name = NAMES[words[1]]
        self.ran.append((name, words[2:]))
        reply = self.replies.get(name, HOLD if name == "RESERVE" else [])
        if isinstance(reply, list) and reply and isinstance(reply[0], list | Exception):
            reply = reply.pop(0)
        return reply

    def _spent(self, rule: Rule) -> Deferred[int]:
        self.asked.append(rule)
        return self.spent if isinstance(self.spent, Deferred) else succeed(self.spent)
