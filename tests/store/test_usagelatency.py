"""Tests for L{llmproxy.store.usagelatency}; what is found is in L{tests.contracts.usagereports}."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.reports import UsageQuestion
from llmproxy.store.usagelatency import is_sampled, latency

from ..tables import row
from .databases import NOW, opened

DAY = 86_400


class StatementTests(SynchronousTestCase):
    def test_one(self) -> None:
        """One statement, which an index answers, whatever the span; and none of no time."""
        database = opened(self)
        made: list[tuple[str, Any]] = []

        def asked(connection: Any, question: UsageQuestion) -> list[str]:
            def noted(_: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
                made.append((statement, parameters))

            event.listen(connection, "before_cursor_execute", noted)
            latency(connection, question, NOW)
            event.remove(connection, "before_cursor_execute", noted)
            found = [each for each in made if each[0] != "BEGIN"]
            if not found:
                return []
            [(statement, parameters)] = found
            return [each[-1] for each in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)]

        for question, index in (
            (UsageQuestion((), NOW - DAY), "ix_usage_records_ended_at"),
            (UsageQuestion((), None, NOW - DAY), "ix_usage_records_ended_at"),
            (UsageQuestion((), NOW - DAY, projects=("p",)), "ix_usage_records_project_id"),
            (UsageQuestion((), NOW - DAY, tokens=("t",)), "ix_usage_records_token_id"),
            (UsageQuestion((), NOW, NOW), ""),
            (UsageQuestion((), NOW + DAY), ""),
        ):
            made.clear()
            with row(question):
                plan = self.successResultOf(
                    database.read(lambda connection, question=question: asked(connection, question))
                )
                searched = [each for each in plan if "usage_records" in each]
                self.assertEqual(bool(searched), bool(index))
                self.assertTrue(all(index in each and "SEARCH" in each for each in searched), searched)
                self.assertFalse([each for each in plan if "TEMP B-TREE" in each], plan)

    def test_sampled(self) -> None:
        """Filters that no index has are not sampled: that could read every record of the span."""
        for question, expected in (
            (UsageQuestion(()), True),
            (UsageQuestion((), projects=("a",)), True),
            (UsageQuestion((), tokens=("a",)), True),
            (UsageQuestion((), tokens=("a", "b")), False),
            (UsageQuestion((), tokens=("a",), projects=("b",)), False),
            (UsageQuestion((), apis=("a",)), False),
            (UsageQuestion((), models=("a",)), False),
            (UsageQuestion((), persons=("a",)), False),
        ):
            self.assertEqual(is_sampled(question), expected, question)
