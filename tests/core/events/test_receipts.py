"""What receivers answer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.receipts import PassingFailure, PermanentFailure, failure_of, receipt_of


class ReceiptTests(SynchronousTestCase):
    def test_masked_and_short(self) -> None:
        """What a receiver repeats of our key is not shown, nor is a page of HTML."""
        shown = receipt_of(401, b"bad key Bearer sk-abcdefghijklmnopqrstuvwx\n\x1b[31m" + b"<p>" * 1000)
        self.assertNotIn("sk-abc", shown.text)
        self.assertEqual(len(shown.text), 200)
        self.assertTrue(shown.text.isprintable())

    def test_which_failure(self) -> None:
        """Only what can never be taken is given up; a wrong key or address is put right by somebody."""
        for status, kind in (
            (400, PermanentFailure),
            (413, PermanentFailure),
            (422, PermanentFailure),
            (401, PassingFailure),
            (403, PassingFailure),
            (404, PassingFailure),
            (301, PassingFailure),
            (408, PassingFailure),
            (429, PassingFailure),
            (500, PassingFailure),
            (503, PassingFailure),
        ):
            self.assertIs(type(failure_of(status, b"")), kind, status)
        self.assertIn("answered 400 no", str(failure_of(400, b"no")))
