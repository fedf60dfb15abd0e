"""Tests for L{llmproxy.core.healthrow}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.healthrow import HealthRow, Outcome
from llmproxy.origin import HealthCheck
from tests.tables import row

OUTCOMES: dict[str, Outcome] = {"+": "passed", "-": "unanswered", "!": "refused"}


class RowTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Outcomes, and what is known after each: w well, u unwell; two passed make it well, three missed unwell."""
        for outcomes, known in (
            ("++", "ww"),
            ("---", "wwu"),
            ("--+--", "wwwww"),
            ("!", "u"),
            ("-!", "wu"),
            ("!+", "uu"),
            ("!++", "uuw"),
            ("!+-++", "uuuuw"),
            ("!+!++", "uuuuw"),
            ("!++--", "uuwww"),
            ("!++---", "uuwwwu"),
            ("!++!", "uuwu"),
        ):
            health = HealthRow(HealthCheck())
            before = True
            for number, (outcome, expected) in enumerate(zip(outcomes, known, strict=True)):
                with row(outcomes, number):
                    changed = health.note(OUTCOMES[outcome])
                    self.assertEqual((health.well, changed), (expected == "w", before != health.well))
                    before = health.well
