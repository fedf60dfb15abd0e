"""The ids by which clients find their requests again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.identifiers import MAX_ID, correlation_id_of, good_id


class IdTests(SynchronousTestCase):
    def test_good(self) -> None:
        """Visible ASCII of a length that fits in a log; anything else counts as none."""
        self.assertEqual(good_id(b"7f-A_1.x:/"), "7f-A_1.x:/")
        self.assertEqual(good_id(b"x" * MAX_ID), "x" * MAX_ID)
        for value in (b"", b"a b", b"a\x7f", b"\xe9", b"x" * (MAX_ID + 1)):
            self.assertEqual(good_id(value), "", value)

    def test_correlation(self) -> None:
        """Found whatever its case; the first one counts."""
        fields = [(b"Accept", b"*/*"), (b"x-CORRELATION-id", b"c-1"), (b"X-Correlation-ID", b"c-2")]
        self.assertEqual(correlation_id_of(fields), "c-1")
        self.assertEqual(correlation_id_of([(b"X-Correlation-ID", b"a b")]), "")
        self.assertEqual(correlation_id_of([]), "")
