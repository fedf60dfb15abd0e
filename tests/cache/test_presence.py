"""Tests for L{llmproxy.cache.presence}: several processes' view of one table, here in one."""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache.presence import MOST, PresenceFilter, SharedTable, of_parent

TARGETS = [b"/v1/%d" % number for number in range(8)]


class MarksTests(SynchronousTestCase):
    def shared(self, width: int) -> tuple[SharedTable, list[PresenceFilter]]:
        """The table of a parent, and what each of its processes has of it."""
        table = SharedTable(width)
        self.addCleanup(table.close)
        return table, [of_parent(os.dup(table.fd), width, column) for column in range(width)]

    def test_nothing(self) -> None:
        """Where nothing was ever fetched, nothing is held."""
        marks = PresenceFilter()
        self.assertFalse(marks.may_hold(None) or marks.may_hold(b"/v1/models"))

    def test_seen_by_all(self) -> None:
        """What one holds, all know of at once, and nothing else; when it lets go, they know too."""
        _, (one, two, three) = self.shared(3)
        two.add(b"/v1/models")
        for marks in (one, two, three):
            self.assertTrue(marks.may_hold(b"/v1/models") and marks.may_hold(None), marks)
            self.assertFalse(marks.may_hold(b"/v1/chat/completions"), marks)
        three.add(b"/v1/models")
        two.remove(b"/v1/models")
        self.assertTrue(one.may_hold(b"/v1/models") and one.may_hold(None))
        three.remove(b"/v1/models")
        for marks in (one, two, three):
            self.assertFalse(marks.may_hold(b"/v1/models") or marks.may_hold(None), marks)

    def test_gone(self) -> None:
        """What a process held that was killed is held by nobody; what others hold stays."""
        table, (one, two) = self.shared(2)
        one.add(b"/v1/models")
        two.add(b"/v1/files")
        table.clear(0)
        self.assertFalse(two.may_hold(b"/v1/models"))
        self.assertTrue(two.may_hold(b"/v1/files") and two.may_hold(None))
        table.clear(1)
        self.assertFalse(two.may_hold(None))

    def test_very_many(self) -> None:
        """What was held more often than a byte can count is taken for held, however often it is let go of."""
        marks = PresenceFilter()
        for _ in range(MOST + 5):
            marks.add(b"/v1/models")
        for _ in range(MOST + 4):
            marks.remove(b"/v1/models")
        self.assertTrue(marks.may_hold(b"/v1/models"))
        marks.remove(b"/v1/models")
        self.assertFalse(marks.may_hold(None))

    @given(st.lists(st.tuples(st.sampled_from(TARGETS), st.integers(0, 2), st.booleans()), max_size=60))
    def test_never_missed(self, steps: list[tuple[bytes, int, bool]]) -> None:
        """Whatever is held by whomever, nobody is told that it is not; when all is let go of, nothing is held."""
        _, processes = self.shared(3)
        held: Counter[tuple[bytes, int]] = Counter()
        for target, column, adds in steps:
            if adds:
                processes[column].add(target)
                held[target, column] += 1
            elif held[target, column]:
                processes[column].remove(target)
                held[target, column] -= 1
            for marks in processes:
                some = {target for (target, _), count in held.items() if count}
                self.assertTrue(all(marks.may_hold(each) for each in some), (target, marks))
                self.assertEqual(marks.may_hold(None), bool(some), marks)
        for (target, column), count in held.items():
            for _ in range(count):
                processes[column].remove(target)
        self.assertFalse(any(processes[0].may_hold(each) for each in (None, *TARGETS)))
