"""Tests for L{llmproxy.core.agentgroups}."""

from __future__ import annotations

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentgroups import first_for, fits


@frozen
class Entry:
    groups: tuple[str, ...]


class FirstForTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The first that fits is the whole answer; everybody is also who is in no group."""
        eng, ops, all_ = Entry(("eng",)), Entry(("ops", "sre")), Entry(("*",))
        for entries, groups, expected in (
            ((eng, all_), ("eng",), eng),
            ((all_, eng), ("eng",), all_),
            ((eng, ops), ("sre", "x"), ops),
            ((eng, ops), (), None),
            ((eng, all_), (), all_),
            ((), ("eng",), None),
        ):
            self.assertIs(first_for(entries, groups), expected, (entries, groups))
        self.assertFalse(fits(eng, ("Eng",)))
