"""Tests for L{llmproxy.core.agentgroups}."""

from __future__ import annotations

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.agentgroups import first_for, fits, settings_for


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


class SettingsForTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What was set for a group comes first, then the configuration, then what was set for everybody."""
        file = [(("eng",), "file-eng"), (("*",), "file-all")]
        for stored, groups, expected in (
            ({}, ("eng",), "file-eng"),
            ({}, (), "file-all"),
            ({"eng": "set-eng"}, ("eng",), "set-eng"),
            ({"eng": "set-eng"}, ("ops",), "file-all"),
            ({"*": "set-all"}, ("eng",), "file-eng"),
            ({"*": "set-all"}, ("ops",), "set-all"),
            ({"b": "B", "a": "A"}, ("b", "a"), "A"),
            ({"*": "set-all"}, ("*",), "set-all"),
        ):
            self.assertEqual(settings_for(file, stored, groups), expected, (stored, groups))

    def test_none(self) -> None:
        """None is something else than empty ones."""
        self.assertIsNone(settings_for([(("eng",), "{}")], {}, ("ops",)))
        self.assertEqual(settings_for([(("eng",), "{}")], {}, ("eng",)), "{}")
        self.assertEqual(settings_for([], {"*": "{}"}, ()), "{}")
