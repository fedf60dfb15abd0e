"""Tests for L{llmproxy.core.keeping}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import USUAL_IDLE
from llmproxy.core.keeping import announced, kept_for


class AnnouncedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """As Node, Apache, gunicorn and others write it."""
        for value, seconds in (
            (b"timeout=5", 5.0),
            (b"timeout=5, max=100", 5.0),
            (b"max=100, Timeout = 15", 15.0),
            (b'timeout="72"', 72.0),
            (b"timeout=0", 0.0),
            (b"max=100", None),
            (b"", None),
            (b"timeout=", None),
            (b"timeout=-1", None),
            (b"timeout=12345678", None),
            (b"mytimeout=5", None),
        ):
            self.assertEqual(announced([(b"A", b"b"), (b"keep-ALIVE", value)]), seconds, value)
        self.assertIsNone(announced([(b"Connection", b"timeout=5")]))


class KeptTests(SynchronousTestCase):
    def test_before_they_close(self) -> None:
        """The servers in use close after five seconds at the earliest."""
        self.assertLess(USUAL_IDLE, 5.0)

    def test_table(self) -> None:
        """What upstream says counts; what an operator says is the most."""
        for configured, said, seconds in (
            (USUAL_IDLE, None, 4.0),
            (USUAL_IDLE, 5.0, 4.0),
            (USUAL_IDLE, 72.0, 71.0),
            (USUAL_IDLE, 400.0, 90.0),
            (USUAL_IDLE, 1.0, 0.5),
            (USUAL_IDLE, 0.0, 0.0),
            (90.0, 5.0, 4.0),
            (90.0, None, 90.0),
            (2.0, 60.0, 2.0),
            (86_400.0, 120.0, 119.0),
        ):
            self.assertEqual(kept_for(configured, said), seconds, (configured, said))

    @given(st.floats(0, 1e5), st.floats(0, 1e5))
    def test_always_before(self, configured: float, said: float) -> None:
        """Whatever both say, we close first."""
        self.assertTrue(kept_for(configured, said) < said or said == 0)
