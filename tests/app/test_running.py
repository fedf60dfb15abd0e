"""Tests for L{llmproxy.app.running}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.running import RunningExchanges
from llmproxy.core.masking import Masking

from ..core.test_running import a_record


class Account:
    """@ivar records: what runs."""

    def __init__(self, *names: str) -> None:
        self.records = [a_record(name) for name in names]

    def running(self) -> list[Any]:
        return [(each, 0.0) for each in self.records]

    def cut(self, request_id: str, ending: str) -> int:
        found = [each for each in self.records if each.request_id == request_id]
        self.records = [each for each in self.records if each not in found]
        return len(found)


class Living:
    def __init__(self, *names: str) -> None:
        self.account = Account(*names)


class Generations:
    def __init__(self, *living: Living) -> None:
        self.living = living


class Peers:
    """The other process; one more does not answer."""

    def __init__(self) -> None:
        self.other: RunningExchanges | None = None

    def ask(self, what: str, values: Mapping[str, Any]) -> Deferred[list[Any]]:
        return succeed([] if self.other is None else [self.other.answer(what, values), None])


class RunningExchangesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.peers = Peers()
        self.mine = self.exchanges(Living("a", "sk-abcdefghijklmnopqrstuvwxyz"), Living("b"))
        self.peers.other = self.exchanges(Living("a", "c"))

    def exchanges(self, *living: Living) -> RunningExchanges:
        generations: Any = Generations(*living)
        peers: Any = self.peers
        return RunningExchanges(Clock(), generations, peers, Masking())

    def test_all(self) -> None:
        """Those of all generations and of all processes; what looks like a secret is masked."""
        found = self.successResultOf(self.mine.running())
        self.assertEqual(found["total"], 5)
        self.assertEqual(sorted(each["id"] for each in found["exchanges"]), ["[masked]", "a", "a", "b", "c"])

    def test_of_a_person(self) -> None:
        """A question for somebody's is asked in all processes."""
        for living in self.mine._generations.living:
            living.account.records[0].person_id = "person-1"
        self.assertEqual(self.successResultOf(self.mine.running(person="person-1"))["total"], 2)
        self.assertEqual(self.successResultOf(self.mine.running(session="none"))["total"], 0)

    def test_cut(self) -> None:
        """In all of them, once."""
        self.assertEqual(self.successResultOf(self.mine.cut("a")), 2)
        self.assertEqual(self.successResultOf(self.mine.cut("a")), 0)
        self.assertEqual(self.successResultOf(self.mine.running())["total"], 3)

    def test_unknown(self) -> None:
        """A question of a newer program is not answered."""
        self.assertIsNone(self.mine.answer("something", {}))
