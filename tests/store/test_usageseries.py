"""Numbers of series."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store import usageseries
from llmproxy.store.schema import usage_series
from llmproxy.store.usageseries import Key, SeriesNumbers, number_of, range_of

from ..tables import row
from .databases import opened


def key(number: int) -> Key:
    return (1, f"p{number}", "", "", "", "", "", 0, "", "", "")


class SeriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)
        self.numbers = SeriesNumbers()

    def of(self, *keys: Key) -> dict[Key, int]:
        return self.successResultOf(self.database.run(lambda connection: self.numbers.of(connection, keys)))

    def count(self) -> int:
        query = select(func.count()).select_from(usage_series)
        return self.successResultOf(self.database.read(lambda connection: connection.scalar(query)))

    def test_same_everywhere(self) -> None:
        """A series has one number, whoever asks, and stands once."""
        first = self.of(key(1), key(2))
        self.numbers.kept()
        self.assertEqual(self.of(key(2), key(3))[key(2)], first[key(2)])
        self.numbers = SeriesNumbers()
        self.assertEqual(self.of(key(1), key(2)), first)
        self.assertEqual(self.count(), 3)
        self.assertTrue(all(0 <= each < 2**63 for each in first.values()))

    def test_ranges(self) -> None:
        """Values of one name stand together."""
        for name in ("team", "feature", ""):
            with row(name):
                lowest, highest = range_of("tag", name)
                found = self.of(*((9, "p", "", "", "", "", "", 0, "tag", name, f"v{each}") for each in range(20)))
                self.assertTrue(all(lowest <= each <= highest < 2**63 for each in found.values()))

    def test_forgotten(self) -> None:
        """What is remembered is bounded, and nothing is asked for that is remembered."""
        self.patch(usageseries, "MOST_KNOWN", 3)
        for number in range(10):
            self.of(key(number))
            self.numbers.kept()
        self.assertLessEqual(len(self.numbers._known), 3)
        before = self.database.statements
        self.of(key(9))
        self.assertEqual(self.database.statements - before, 1, "the beginning of the transaction")

    def test_collisions(self) -> None:
        """Series whose numbers would be the same get others, in each process the same."""

        def weak(one: Any, attempt: int = 0) -> int:
            return number_of(one, attempt) % 4 + 10 * attempt + 1

        self.patch(usageseries, "number_of", weak)
        keys = [key(number) for number in range(12)]
        first = self.of(*keys)
        self.assertEqual(len(set(first.values())), 12)
        self.numbers = SeriesNumbers()
        self.assertEqual(self.of(*reversed(keys)), first)
