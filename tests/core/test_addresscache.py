"""Tests for L{llmproxy.core.addresscache}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.addresscache import FRESH, NEGATIVE, SETTLED, STALE, Answer, Use, use

AT = 1000.0


def known(age: float, doubted: bool = False) -> Answer:
    return Answer(("192.0.2.1",), AT - age, doubted)


class UseTests(SynchronousTestCase):
    def test_rules(self) -> None:
        """A new answer is used, an old one while it is renewed, a very old one where nothing better comes."""
        lately, long_ago = AT - NEGATIVE / 2, AT - NEGATIVE
        for answer, failed_at, what in (
            (None, None, Use.WAIT),
            (None, lately, Use.REFUSE),
            (None, long_ago, Use.WAIT),
            (known(0), None, Use.ANSWER),
            (known(FRESH - 1), None, Use.ANSWER),
            (known(FRESH), None, Use.RENEW),
            (known(STALE - 1), None, Use.RENEW),
            (known(STALE), None, Use.WAIT),
            (known(FRESH), lately, Use.ANSWER),
            (known(STALE), lately, Use.ANSWER),
            (known(FRESH), long_ago, Use.RENEW),
            (known(STALE), long_ago, Use.WAIT),
            (known(0, doubted=True), None, Use.ANSWER),
            (known(SETTLED, doubted=True), None, Use.WAIT),
            (known(SETTLED, doubted=True), lately, Use.ANSWER),
        ):
            self.assertEqual(use(answer, failed_at, AT), what, (answer, failed_at))
