"""What is shown of an upstream key, and what is accepted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.manage.responses import masked, moment

from ...properties import examples


class MaskedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Enough to tell two keys apart."""
        for key, shown in (
            ("", ""),
            ("abc", "***"),
            ("abcdefgh", "ab******"),
            ("abcdefghijklm", "ab...lm"),
            ("sk-0123456789abcdefghijkl", "sk-01234...ijkl"),
        ):
            self.assertEqual(masked(key), shown, (key, shown))

    @settings(max_examples=examples(50), deadline=None)
    @given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=80))
    def test_half(self, key: str) -> None:
        """Never more than half of it."""
        assert sum(character not in "*." for character in masked(key)) <= max(len(key) // 2, 0)


class MomentTests(SynchronousTestCase):
    def test_utc(self) -> None:
        """Moments are told in UTC, whatever the zone of the machine."""
        self.assertEqual(moment(0.5).isoformat(), "1970-01-01T00:00:00.500000+00:00")
