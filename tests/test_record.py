"""Tests of L{llmproxy.record}."""

from __future__ import annotations

from copy import copy

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import message
from llmproxy.record import FIELDS, TEXTS, Attribution, Cause, Ending, Record

from .recordfields import record_fields


class RecordTests(SynchronousTestCase):
    def test_nothing_is_known_at_first(self) -> None:
        """What nobody filled in is not known, which is not 0."""
        record = Record("r", "GET", "/", "127.0.0.1", 0.0)
        found = [record.usage, record.saved, record.cost, record.cost_saved, record.attribution, record.first_token]
        self.assertEqual(found, [None] * 6)
        self.assertEqual((record.ended, record.upstream, record.estimated), ("failed", "", False))

    def test_message(self) -> None:
        """They are found where the other values of an exchange are."""
        self.assertIs(message.Record, Record)
        self.assertIs(message.Attribution, Attribution)
        self.assertEqual((message.Ending, message.Cause), (Ending, Cause))

    def test_attributions_have_values_of_their_own(self) -> None:
        self.assertIsNot(Attribution().tags, Attribution().tags)

    def test_copied(self) -> None:
        """A copy has what its original has, and changes for itself."""
        made = Record("r", "GET", "/", "127.0.0.1", 0.0, details={"a": 1})
        other = copy(made)
        self.assertEqual(
            [getattr(other, name) for name in record_fields()], [getattr(made, name) for name in record_fields()]
        )
        other.status = 200
        self.assertEqual(made.status, 0)

    def test_texts(self) -> None:
        """No field that is a text is forgotten among those that are masked, nor any other one named there."""
        texts = [name for name, kind in record_fields().items() if kind in ("str", "str | None")]
        self.assertEqual(list(TEXTS), texts)

    def test_fields(self) -> None:
        """What a record is made with is what it has, and what a copy has."""
        self.assertEqual(list(FIELDS), list(record_fields()))
        made = Record("r", "GET", "/", "127.0.0.1", 0.0)
        self.assertEqual([name for name in FIELDS if not hasattr(made, name)], [])
