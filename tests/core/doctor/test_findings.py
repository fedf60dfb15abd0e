"""What findings come to."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.doctor.findings import fault, note, ok, skipped, status_of, warning, worst_of

from ...tables import row


class StatusTests(SynchronousTestCase):
    def test_statuses(self) -> None:
        """A script knows from the status whether there is anything to mend, and how urgent it is."""
        for findings, status, worst in (
            ([], 0, "ok"),
            ([ok("x"), skipped("x"), note("x", "do")], 0, "note"),
            ([ok("x"), warning("x", "do")], 1, "warning"),
            ([fault("x", "do"), warning("x", "do"), ok("x")], 2, "fault"),
        ):
            with row(findings):
                self.assertEqual((status_of(findings), worst_of(findings)), (status, worst))
