"""Events as values."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Event

from .samples import event


class EventTests(SynchronousTestCase):
    def test_nothing_is_changed(self) -> None:
        """An event is the same for every sink: none can write into it."""
        with self.assertRaises(AttributeError):
            event().status = 500  # type: ignore[misc]

    def test_fields_are_flat(self) -> None:
        """C{when} and consumers find every number and id by one name."""
        nested = {
            each.name for each in msgspec.structs.fields(Event) if "dict" in str(each.type) or "list" in str(each.type)
        }
        self.assertEqual(nested, {"usage", "saved", "tags", "metadata", "attempts_made", "details"})
