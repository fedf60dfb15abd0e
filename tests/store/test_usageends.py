"""What reports know before they are made."""

from __future__ import annotations

from sqlalchemy import insert
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.rollups import CUBES, QUARTER, WIDTHS
from llmproxy.store.schema import settings
from llmproxy.store.together import every
from llmproxy.store.usageends import KEPT_SINCE, ends_of, series_of_cubes
from llmproxy.store.usagerecords import UsageRecords

from ..usagereports import an_entry
from .databases import NOW, clock_at, opened


class EndsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = opened(self)

    def test_nothing(self) -> None:
        """Where nothing was used there is no first and no last."""
        self.assertIsNone(self.successResultOf(self.database.read(ends_of)))

    def test_ends(self) -> None:
        """The first and the last quarter of an hour, and from when on single records are there."""
        entries = [an_entry(n, NOW + n * 7200, token_id=f"t{n % 2}", project_id="p") for n in range(4)]
        self.successResultOf(UsageRecords(clock_at(), self.database).settle(entries))
        kept = insert(settings).values(name=KEPT_SINCE, value=f"{NOW}")
        self.successResultOf(self.database.run(lambda connection: connection.execute(kept)))
        first, last, since, _ = self.successResultOf(self.database.read(ends_of))
        width = WIDTHS[QUARTER]
        self.assertEqual((first, last, since), (NOW // width * width, (NOW + 3 * 7200) // width * width, NOW))

    def test_series(self) -> None:
        """How much is told apart by each kind of roll-up; for a page that comes with the ends."""
        entries = [an_entry(n, NOW, token_id=f"t{n % 2}", project_id="p") for n in range(4)]
        self.successResultOf(UsageRecords(clock_at(), self.database).settle(entries))
        found = self.successResultOf(self.database.read(series_of_cubes))
        self.assertEqual((found[11], found[1], found[6]), (1, 1, 2))
        self.assertEqual(found.keys(), {each.number for each in CUBES})
        before = self.database.statements
        together = self.database.read(lambda connection: every(connection, [ends_of, series_of_cubes], {}))
        ends, counted = self.successResultOf(together)
        self.assertEqual((counted, len(ends[-1])), (found, len(CUBES)))
        self.assertEqual(self.database.statements - before, 2)
