"""What is noted of doubts; tests/integration/test_redis.py has Redis judge by it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cache import epochs as doubts
from llmproxy.cache import scripts
from llmproxy.cache.epochs import purged


class DoubtsTests(SynchronousTestCase):
    def test_purged(self) -> None:
        """Whatever is purged is noted so that nothing else is meant by it."""
        texts = (None, "", "a")
        noted = [purged(api, tenant, start) for api in texts for tenant in texts for start in (b"", b"a")]
        self.assertEqual(len(set(noted)), 18)
        self.assertEqual(purged("ä", "p", b"/v1\0\xff"), b"\x03\x00\x02\x00\x01" + "ä".encode() + b"p/v1\0\xff")

    def test_noted_and_asked(self) -> None:
        """What removes and what purges notes it; what stores asks. Limits stand in the scripts as numbers."""
        for script in (scripts.REMOVE, scripts.DOUBT):
            self.assertIn(doubts.NOTE, script.source)
        self.assertIn(doubts.DOUBTED, scripts.PUT.source)
        for limit in (doubts.MOST_REMOVED, doubts.MOST_PURGED, doubts.KEPT):
            self.assertIn(b"%d" % limit, doubts.NOTE)
