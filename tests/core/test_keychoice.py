"""Tests for L{llmproxy.core.keychoice}."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core import keychoice
from llmproxy.core.keychoice import MOST_KEYS, MOST_REST, REST, KeyRests
from tests.tables import row

KEYS = ("k1", "k2", "k3")


class KeyRestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.keys = KeyRests()

    def test_set_aside(self) -> None:
        """For as long as the answer says, within a bound; for a while where it says nothing."""
        for status, said, until in (
            (429, 7.0, 7.0),
            (429, None, REST[429]),
            (401, None, REST[401]),
            (429, 1e9, MOST_REST),
            (429, 0.0, 0.0),
            (500, 7.0, 0.0),
            (403, 7.0, 0.0),
        ):
            with row(status, said):
                keys = KeyRests()
                keys.set_aside("k1", status, said, 100.0)
                self.assertEqual(keys.rests("k1", 100.0), until > 0)
                self.assertEqual(keys.rests("k1", 99.9 + until), until > 0)
                self.assertFalse(keys.rests("k1", 100.0 + until))
                self.assertEqual(keys.until, {})

    def test_priority(self) -> None:
        """The first that is not set aside; when all are, the one that is so for the shortest time."""
        for resting, expected in (
            ({}, "k1"),
            ({"k1": 5.0}, "k2"),
            ({"k1": 5.0, "k2": 9.0}, "k3"),
            ({"k1": 5.0, "k2": 4.0, "k3": 9.0}, "k2"),
        ):
            with row(resting):
                keys = KeyRests()
                for key, seconds in resting.items():  # type: ignore[attr-defined]
                    keys.set_aside(key, 429, seconds, 0.0)
                self.assertEqual(keys.choose(KEYS, "priority", 1.0), expected)

    def test_round_robin(self) -> None:
        """One after the other; one that was set aside takes its turn and does not catch up."""
        self.assertEqual([self.keys.choose(KEYS, "round_robin", 0.0) for _ in range(4)], ["k1", "k2", "k3", "k1"])
        self.keys.set_aside("k2", 429, 10.0, 0.0)
        self.assertEqual(Counter(self.keys.choose(KEYS, "round_robin", 1.0) for _ in range(20)), {"k1": 10, "k3": 10})
        counts = Counter(self.keys.choose(KEYS, "round_robin", 11.0) for _ in range(30))
        self.assertTrue(all(abs(count - 10) <= 1 for count in counts.values()), counts)

    def test_least_used(self) -> None:
        """The one that was used least: one that was set aside catches up."""
        self.keys.set_aside("k2", 429, 10.0, 0.0)
        for _ in range(20):
            self.keys.choose(KEYS, "least_used", 1.0)
        self.assertEqual(Counter(self.keys.choose(KEYS, "least_used", 11.0) for _ in range(10)), {"k2": 10})

    def test_unreadable(self) -> None:
        """A key that cannot be read is asked with only where there is no other."""
        self.assertEqual(self.keys.choose(("", "k2"), "priority", 0.0), "k2")
        self.assertEqual(self.keys.choose(("", ""), "priority", 0.0), "")
        self.keys.set_aside("", 429, None, 0.0)
        self.assertEqual(self.keys.choose(("",), "priority", 0.0), "")

    def test_bounded(self) -> None:
        """However many keys there are, so many are remembered."""
        self.patch(keychoice, "MOST_KEYS", 10)
        for number in range(50):
            self.keys.set_aside(f"k{number}", 429, 10.0, 0.0)
            self.keys.choose((f"k{number}", "x"), "round_robin", 0.0)
        self.assertLessEqual(len(self.keys.until), 10)
        self.keys.set_aside("late", 429, 10.0, 20.0)
        self.assertEqual(list(self.keys.until), ["late"])
        self.assertGreater(MOST_KEYS, 10)

    def test_not_shown(self) -> None:
        """It holds keys."""
        self.keys.set_aside("canary", 429, 10.0, 0.0)
        self.keys.choose(("canary2", "x"), "round_robin", 0.0)
        self.assertNotIn("canary", repr(self.keys))
