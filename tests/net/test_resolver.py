"""Tests for L{llmproxy.net.resolver}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.addresscache import FRESH, KEPT, NEGATIVE, STALE
from llmproxy.net.resolver import MOST_AT_ONCE, MOST_NAMES, PATIENCE, Names


class NameServer:
    """Answers when the test says so; C{asked} are the questions that are open."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Deferred[tuple[str, ...]]]] = []

    def look_up(self, host: str) -> Deferred[tuple[str, ...]]:
        found: Deferred[tuple[str, ...]] = Deferred()
        self.asked.append((host, found))
        return found

    def answer(self, host: str, *addresses: str) -> None:
        self._take(host).callback(addresses)

    def fail(self, host: str) -> None:
        self._take(host).errback(Failure(DNSLookupError(-3, "Temporary failure in name resolution")))

    @property
    def hosts(self) -> list[str]:
        return [host for host, _ in self.asked]

    def _take(self, host: str) -> Deferred[tuple[str, ...]]:
        at = self.hosts.index(host)
        return self.asked.pop(at)[1]


class NamesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.server = NameServer()
        self.names = Names(self.clock, self.server.look_up)

    def known(self, host: str = "a", *addresses: str, age: float = 0.0) -> None:
        """The name was looked up C{age} seconds ago."""
        looking = self.names.lookup(host)
        self.server.answer(host, *(addresses or ("192.0.2.1",)))
        self.successResultOf(looking)
        self.clock.advance(age)

    def test_one_question(self) -> None:
        """Many callers are one question, and have the same answer."""
        callers = [self.names.lookup("a") for _ in range(100)]
        self.assertEqual(self.server.hosts, ["a"])
        self.server.answer("a", "2001:db8::1", "192.0.2.1")
        for caller in callers:
            self.assertEqual(self.successResultOf(caller), ("2001:db8::1", "192.0.2.1"), caller)
        self.successResultOf(self.names.lookup("a"))
        self.assertEqual(self.server.hosts, [])

    def test_silent_for_one_name(self) -> None:
        """One name of which the server says nothing keeps no other from being found, however many ask for it."""
        stuck = [self.names.lookup("stuck") for _ in range(200)]
        self.known("other")
        self.assertEqual([self.noResult(each) for each in stuck], [None] * 200)

    def noResult(self, caller: Deferred[Any]) -> None:
        self.assertNoResult(caller)

    def test_renewed_meanwhile(self) -> None:
        """An answer that is not new is used at once; the new one is for those who come later."""
        self.known(age=FRESH)
        self.assertEqual(self.successResultOf(self.names.lookup("a")), ("192.0.2.1",))
        self.assertEqual(self.successResultOf(self.names.lookup("a")), ("192.0.2.1",))
        self.assertEqual(self.server.hosts, ["a"])
        self.server.answer("a", "192.0.2.2")
        self.assertEqual(self.successResultOf(self.names.lookup("a")), ("192.0.2.2",))

    def test_kept_where_asking_fails(self) -> None:
        """The last good answer holds while the name server is away, and it is not asked all the time."""
        self.known(age=STALE)
        waiting = self.names.lookup("a")
        self.server.fail("a")
        self.assertEqual(self.successResultOf(waiting), ("192.0.2.1",))
        self.successResultOf(self.names.lookup("a"))
        self.assertEqual(self.server.hosts, [])
        self.clock.advance(NEGATIVE)
        self.names.lookup("a")
        self.assertEqual(self.server.hosts, ["a"])

    def test_empty_answer(self) -> None:
        """An answer without an address takes no good one away."""
        self.known(age=STALE)
        waiting = self.names.lookup("a")
        self.server.answer("a")
        self.assertEqual(self.successResultOf(waiting), ("192.0.2.1",))

    def test_patience(self) -> None:
        """A new answer is waited for where the known one is old, but not for long."""
        self.known(age=STALE)
        waiting = self.names.lookup("a")
        self.assertNoResult(waiting)
        self.clock.advance(PATIENCE)
        self.assertEqual(self.successResultOf(waiting), ("192.0.2.1",))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_patience_rewarded(self) -> None:
        """Who has the new answer has no timer."""
        self.known(age=STALE)
        waiting = self.names.lookup("a")
        self.server.answer("a", "192.0.2.2")
        self.assertEqual(self.successResultOf(waiting), ("192.0.2.2",))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_old(self) -> None:
        """An answer of yesterday is none."""
        self.known(age=KEPT)
        waiting = self.names.lookup("a")
        self.clock.advance(PATIENCE)
        self.assertNoResult(waiting)
        self.server.fail("a")
        self.failureResultOf(waiting, DNSLookupError)

    def test_doubted(self) -> None:
        """After addresses that took no connection a new answer is waited for."""
        self.known(age=2.0)
        self.names.doubt("a")
        self.names.doubt("never asked for")
        waiting = self.names.lookup("a")
        self.assertNoResult(waiting)
        self.server.answer("a", "192.0.2.2")
        self.assertEqual(self.successResultOf(waiting), ("192.0.2.2",))

    def test_not_found(self) -> None:
        """All who wait have the failure, as an exception of their own; for a moment others have it at once."""
        callers = [self.names.lookup("a") for _ in range(3)]
        self.server.fail("a")
        reasons = {id(self.failureResultOf(each, DNSLookupError).value) for each in callers}
        self.assertEqual(len(reasons), 3)
        self.assertEqual(self.failureResultOf(self.names.lookup("a"), DNSLookupError).value.args[0], -3)
        self.assertEqual(self.server.hosts, [])
        self.clock.advance(NEGATIVE)
        again = self.names.lookup("a")
        self.server.answer("a", "192.0.2.1")
        self.successResultOf(again)

    def test_caller_leaves(self) -> None:
        """A caller that leaves takes nothing from the others."""
        stays, leaves = self.names.lookup("a"), self.names.lookup("a")
        leaves.cancel()
        self.failureResultOf(leaves, CancelledError)
        self.server.answer("a", "192.0.2.1")
        self.successResultOf(stays)

    def test_caller_leaves_within_patience(self) -> None:
        """Its timer leaves with it."""
        self.known(age=STALE)
        leaves = self.names.lookup("a")
        leaves.cancel()
        self.failureResultOf(leaves, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leaves_in_an_answer(self) -> None:
        """One caller's answer may end another's waiting."""
        first, second = self.names.lookup("a"), self.names.lookup("a")
        first.addCallback(lambda _: second.cancel())
        self.server.answer("a", "192.0.2.1")
        self.failureResultOf(second, CancelledError)

    def test_many_names(self) -> None:
        """Threads are bounded: what is beyond waits for its turn, and nothing is asked for nobody."""
        callers = {f"n{number}": self.names.lookup(f"n{number}") for number in range(MOST_AT_ONCE + 3)}
        self.assertEqual(len(self.server.asked), MOST_AT_ONCE)
        first, left, last = list(callers)[-3:]
        callers[left].cancel()
        self.failureResultOf(callers[left], CancelledError)
        for number in range(3):
            self.server.answer(f"n{number}", "192.0.2.1")
        self.assertEqual(self.server.hosts[-2:], [first, last])
        self.assertNotIn(left, self.server.hosts)

    def test_renewing_waits_for_nobody(self) -> None:
        """What is only renewed is not queued where all threads are taken: the next caller tries again."""
        self.known(age=FRESH)
        stuck = [self.names.lookup(f"n{number}") for number in range(MOST_AT_ONCE)]
        self.assertEqual(self.successResultOf(self.names.lookup("a")), ("192.0.2.1",))
        self.server.answer("n0", "192.0.2.1")
        self.assertNotIn("a", self.server.hosts)
        self.successResultOf(self.names.lookup("a"))
        self.assertIn("a", self.server.hosts)
        self.assertEqual(len(stuck), MOST_AT_ONCE)

    def test_bounded(self) -> None:
        """Names that a stranger makes up do not fill the memory."""
        for number in range(MOST_NAMES + 50):
            self.known(f"n{number}")
        self.assertEqual(len(self.names._names), MOST_NAMES)
        self.names.lookup("n0")
        self.assertEqual(self.server.hosts, ["n0"])
