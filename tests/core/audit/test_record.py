"""What a record holds, whatever was noted."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.encoding import encode
from llmproxy.core.audit.record import (
    BOUNDS,
    MARK,
    MAX_DETAILS,
    OUTCOMES,
    AuditRecord,
    audit_record,
    microseconds,
    rfc3339,
)
from llmproxy.core.masking import Masking

from ...properties import examples
from ...tables import row
from . import records
from .records import record


class RecordTests(SynchronousTestCase):
    def test_fields(self) -> None:
        """What a call notes is found under the names that queries have; the rest stays in the details."""
        found = record(
            http_method="POST", endpoint="/manage/projects", project_id="p", user_agent="ops/1", error="no", n=1
        )
        self.assertEqual((found.method, found.path, found.project_id), ("POST", "/manage/projects", "p"))
        self.assertEqual((found.user_agent, found.reason, dict(found.details)), ("ops/1", "no", {"n": 1}))

    def test_reason(self) -> None:
        """A reason is what it is, not hidden behind the text of an error, which is kept too."""
        found = record(reason="project_inactive", error="inactive")
        self.assertEqual((found.reason, found.details["error"]), ("project_inactive", "inactive"))

    def test_long(self) -> None:
        """A text that is too long is cut and marked as cut, so that no database refuses the row."""
        found = record(client_ip="1" * 500, request_id="r" * 5000, user_agent="\x00" * 511, action="a" * 70)
        self.assertEqual(found.client_ip, "1" * 44 + MARK)
        self.assertEqual((len(found.request_id), found.request_id[-1]), (BOUNDS["request_id"], MARK))
        self.assertTrue(found.user_agent.startswith("\\x00\\x00"))
        self.assertEqual((len(found.user_agent), found.user_agent[-1]), (512, MARK))

    def test_large_details(self) -> None:
        """Details beyond what is kept are named, not lost in silence."""
        found = record(**{f"field_{number}": "x" * 1000 for number in range(50)})
        self.assertTrue(found.details["truncated"])
        self.assertIn("field_7", found.details["names"])

    def test_unknown_outcome(self) -> None:
        """What no database would take as an outcome is an error, not a row that is missing."""
        self.assertEqual(record(outcome="shrug").outcome, "error")

    @settings(max_examples=examples(60), deadline=None)
    @given(records.details, st.text(max_size=80), st.text(max_size=300))
    def test_anything(self, details: dict[str, object], action: str, actor: str) -> None:
        """Whatever is noted makes a record: printable, within its bounds, and the same after a round trip."""
        found = audit_record("id", records.NOW, action, actor, "success", details, Masking())
        for name, most in BOUNDS.items():
            text = getattr(found, name)
            assert len(text) <= most and text.isprintable(), name
        assert found.outcome in OUTCOMES
        assert len(encode(dict(found.details))) <= MAX_DETAILS
        assert AuditRecord.of_plain(json.loads(encode(found.plain()))) == found

    def test_not_a_record(self) -> None:
        for values in ({}, {"timestamp": 1}, {"timestamp": "2026-01-01T00:00:00Z", "surplus": 1}):
            with row(values):
                self.assertRaises(ValueError, AuditRecord.of_plain, values)


class MomentTests(SynchronousTestCase):
    def test_zones(self) -> None:
        """A moment is the same in any zone, and without one it is none."""
        for text in ("2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "2025-12-31T23:30:00-00:30"):
            self.assertEqual(microseconds(text), 1_767_225_600_000_000, text)
        for text in ("2026-01-01T00:00:00", "2026-01-01", "soon", ""):
            with row(text):
                self.assertRaises(ValueError, microseconds, text)

    @given(st.integers(0, 2**52))
    def test_exact(self, moment: int) -> None:
        """To the microsecond, there and back, and as the standard library reads it."""
        assert microseconds(rfc3339(moment)) == moment
        assert datetime.fromisoformat(rfc3339(moment).replace("Z", "+00:00")).tzinfo == timezone.utc
