"""What somebody looks for in the audit trail; tests/contracts/audit.py has what is found in a database."""

from __future__ import annotations

from attrs import asdict, fields
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.search import EXACT, SEARCHED, AuditFilter
from llmproxy.store.schema import audit_events
from llmproxy.web.manage.audit import Search


class AuditFilterTests(SynchronousTestCase):
    def test_nothing_wanted(self) -> None:
        """Who names nothing looks at everything."""
        self.assertEqual(set(asdict(AuditFilter()).values()), {None})

    def test_one_list(self) -> None:
        """Every field of a filter is compared, searched or a border: none is taken and then ignored."""
        names = {each.name for each in fields(AuditFilter)}
        self.assertEqual(names, {*EXACT, "search", "start_time", "end_time"})

    def test_columns(self) -> None:
        """What is compared and what is searched is kept as a column."""
        self.assertEqual({*EXACT, *SEARCHED} - set(audit_events.columns.keys()), set())

    def test_parameters(self) -> None:
        """Management takes each of them in a query."""
        self.assertEqual({each.name for each in fields(AuditFilter)} - set(Search.__struct_fields__), set())

    def test_frozen(self) -> None:
        """A filter is the same for the page and for the count beside it."""
        with self.assertRaises(FrozenInstanceError):
            AuditFilter().action = "x"  # type: ignore[misc]
