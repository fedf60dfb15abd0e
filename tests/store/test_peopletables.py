"""Tests for L{llmproxy.store.peopletables}."""

from __future__ import annotations

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.people.person import Person
from llmproxy.store.peopletables import people


class PeopleTableTests(SynchronousTestCase):
    def test_columns(self) -> None:
        """A person is a row, and nothing else is kept of them there."""
        self.assertEqual([column.name for column in people.columns], [each.name for each in fields(Person)])
