"""What comes of a batch whose items were not all taken."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.receipts import PassingFailure, PermanentFailure, Receipt
from llmproxy.core.events.vendors.answers import Judgement, judge_items, reason

from ....tables import row


class AnswerTests(SynchronousTestCase):
    def test_first(self) -> None:
        """The first that failed decides; those before it are delivered."""
        for failed, expected in (
            ([], Judgement()),
            ([None, None], Judgement()),
            ([None, (True, "later"), (False, "never")], Judgement("later", 1, False)),
            ([(False, "never"), (True, "later")], Judgement("never", 0, True)),
        ):
            with row(failed):
                self.assertEqual(judge_items(failed), expected)

    def test_settle(self) -> None:
        """A failure says how many are delivered; without one there is the receipt."""
        receipt = Receipt(207)
        self.assertEqual(Judgement().settle(receipt), receipt)
        passing = self.assertRaises(PassingFailure, Judgement("later", 2, False).settle, receipt)
        self.assertEqual((str(passing), passing.delivered, passing.receipt), ("later", 2, receipt))
        self.assertEqual(self.assertRaises(PermanentFailure, Judgement("never", 1, True).settle, receipt).delivered, 1)

    def test_behind(self) -> None:
        """What was delivered before a part of a batch counts too."""
        self.assertEqual(Judgement("later", 2).behind(3), Judgement("later", 5))

    def test_reason(self) -> None:
        """What is said of an item is bounded, in one line, and shows no key."""
        found = reason("status 400", None, "a\nb", "sk-proj-" + "A1b2" * 12, "y" * 5000)
        self.assertTrue(found.startswith("status 400: a b: "), found)
        self.assertNotIn("A1b2A1b2A1b2A1b2A1b2", found)
        self.assertLessEqual(len(found), 200)
