"""Models that reports call by their names. More is in tests/contracts/usagerecords.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.usagemodels import KnownModels, Model

from ..usagereports import an_entry
from .databases import NOW, opened


class KnownModelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)

    def of(self, known: KnownModels, *asked: tuple[str, int]) -> dict[Model, str | None]:
        entries = [an_entry(1, NOW, model=model, status=status) for model, status in asked]
        return self.successResultOf(self.database.run(lambda connection: known.of(connection, entries)))

    def test_answered(self) -> None:
        """A model has its name once anybody was answered, in the same batch too, whatever comes first."""
        known = KnownModels()
        found = self.of(known, ("a", 429), ("a", 200), ("b", 404), ("", 200), ("c", 0))
        self.assertEqual(found, {("openai", "a"): None, ("openai", "b"): "other", ("openai", "c"): "other"})
        self.assertEqual(self.of(KnownModels(), ("a", 500)), {("openai", "a"): None})

    def test_remembered(self) -> None:
        """What is known is not asked for again, and only what was committed is known."""
        known = KnownModels()
        for kept, statements in ((False, 2), (True, 2), (True, 1)):
            self.of(known, ("a", 200))
            before = self.database.statements
            self.of(known, ("a", 500))
            self.assertEqual(self.database.statements - before, statements, kept)
            if kept:
                known.kept()
