"""How commands end."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.faults import fault_of_status


class StatusTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A script can tell what to do next from the status alone."""
        for status, code in (
            (400, 1),
            (401, 4),
            (403, 4),
            (404, 3),
            (405, 1),
            (409, 6),
            (412, 6),
            (422, 1),
            (429, 5),
            (500, 1),
            (502, 5),
            (503, 5),
            (504, 5),
        ):
            fault = fault_of_status(status, "words")
            self.assertEqual((fault.exit_code, fault.message), (code, "words"), status)
