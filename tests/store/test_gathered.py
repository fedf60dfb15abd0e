"""Tests for L{llmproxy.store.gathered}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import Unavailable
from llmproxy.store import gathered
from llmproxy.store.gathered import AT_ONCE, MOST, Gathered


class GatheredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[tuple[list[str], Deferred[Mapping[str, str]]]] = []
        self.gathered: Gathered[str] = Gathered(self.ask)

    def ask(self, keys: Sequence[str]) -> Deferred[Mapping[str, str]]:
        asking: Deferred[Mapping[str, str]] = Deferred()
        self.asked.append(([*keys], asking))
        return asking

    def answer(self, at: int = 0) -> None:
        keys, asking = self.asked.pop(at)
        asking.callback({key: key.upper() for key in keys if key != "none"})

    def busy(self) -> list[Deferred[Any]]:
        """As many queries as may run."""
        return [self.gathered.get(f"busy{number}") for number in range(AT_ONCE)]

    def test_together(self) -> None:
        """What is asked for while queries run is one query; each gets its own answer, and none where there is none."""
        first = self.busy()
        rest = [self.gathered.get(key) for key in ("a", "b", "none", "a")]
        self.assertEqual([keys for keys, _ in self.asked], [[f"busy{number}"] for number in range(AT_ONCE)])
        self.answer()
        self.assertEqual(self.asked[-1][0], ["a", "b", "none"])
        self.assertEqual(self.successResultOf(first[0]), "BUSY0")
        self.answer(-1)
        self.assertEqual([self.successResultOf(each) for each in rest], ["A", "B", None, "A"])

    def test_not_old(self) -> None:
        """What is on its way is not given to who asks now: something may have changed since."""
        self.busy()
        self.answer()
        one = self.gathered.get("a")
        two = self.gathered.get("a")
        self.answer(-1)
        self.successResultOf(one)
        self.assertNoResult(two)
        self.assertEqual(self.asked[-1][0], ["a"])

    def test_bounded(self) -> None:
        """A query has so many keys at most, and so many wait at most; who left does not count."""
        self.patch(gathered, "MOST_WAITING", MOST + 50)
        self.busy()
        waiting = [self.gathered.get(str(number)) for number in range(MOST + 50)]
        self.failureResultOf(self.gathered.get("more"), Unavailable)
        waiting[0].cancel()
        self.failureResultOf(waiting[0], CancelledError)
        self.assertNoResult(self.gathered.get("more"))
        self.answer()
        self.assertEqual(self.asked[-1][0], [str(number) for number in range(1, MOST + 1)])
        self.answer()
        self.assertEqual(len(self.asked[-1][0]), 50)

    def test_left(self) -> None:
        """Nothing is asked for those who have left, before or after; others get theirs."""
        self.busy()
        gone, stays, also = (self.gathered.get(key) for key in ("gone", "stays", "stays"))
        for each in (gone, also):
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.answer()
        self.assertEqual(self.asked[-1][0], ["stays"])
        late = self.gathered.get("late")
        stays.cancel()
        self.failureResultOf(stays, CancelledError)
        self.answer(-1)
        self.answer()
        self.answer(-1)
        self.assertEqual(self.successResultOf(late), "LATE")

    def test_one_is_wrong(self) -> None:
        """What cannot be read fails alone, whatever it was asked with."""

        def ask(keys: Sequence[str]) -> Deferred[Mapping[str, str]]:
            if not self.asked:
                return self.ask(keys)
            return fail(ValueError("broken")) if "bad" in keys else succeed({key: key.upper() for key in keys})

        self.patch(gathered, "AT_ONCE", 1)
        looking = Gathered(ask)
        looking.get("first")
        good, bad, more = (looking.get(key) for key in ("good", "bad", "more"))
        self.asked[0][1].callback({})
        self.assertEqual([self.successResultOf(each) for each in (good, more)], ["GOOD", "MORE"])
        self.failureResultOf(bad, ValueError)
        self.assertEqual(self.successResultOf(looking.get("later")), "LATER")

    def test_away(self) -> None:
        """A database that cannot be asked is not asked again for each."""
        self.busy()
        waiting = [self.gathered.get(key) for key in ("a", "b")]
        self.answer()
        self.asked.pop()[1].errback(Unavailable())
        for each in waiting:
            self.failureResultOf(each, Unavailable)
        self.assertEqual(len(self.asked), AT_ONCE - 1)

    def test_at_once(self) -> None:
        """Where answers are there at once, each is asked for by itself, however many."""
        looking: Gathered[str] = Gathered(lambda keys: succeed({key: key for key in keys}))
        self.assertEqual(
            [self.successResultOf(looking.get(str(n))) for n in range(2000)], [str(n) for n in range(2000)]
        )
