"""Which requests a cache has a say in."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.core.caching.directives import RequestDirectives, asked_by
from llmproxy.core.caching.eligibility import is_for_origin, may_lead, may_wait, opted_in

SETTINGS = CacheSettings(post_max_age=100.0)


def asked(*lines: bytes) -> RequestDirectives:
    return asked_by([(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)])


class PermissionTests(SynchronousTestCase):
    def test_for_origin(self) -> None:
        """Conditions on what upstream has, and other methods in disguise."""
        for line in (b"If-Match: *", b"If-Unmodified-Since: x", b"X-HTTP-Method: PUT", b"X-Original-URL: /"):
            self.assertTrue(is_for_origin(asked(line)), line)
        self.assertFalse(is_for_origin(asked(b"If-None-Match: *", b"Accept: */*")))

    def test_opt_in(self) -> None:
        """How long the client of a POST may ask for."""
        for control, seconds in (
            (b"public, max-age=60", 60.0),
            (b"public, max-age=60, s-maxage=5", 5.0),
            (b"public, max-age=101", 100.0),
            (b"public, max-age=60, no-cache", 60.0),
            (b"max-age=60", None),
            (b"public", None),
            (b"public, max-age=0", None),
            (b"public, max-age=60, no-store", None),
            (b"public, private, max-age=60", None),
            (b"public, max-age=1, max-age=2", None),
            (b'xpublic="public, max-age=60"', None),
        ):
            self.assertEqual(opted_in(asked(b"Cache-Control: " + control), SETTINGS), seconds, control)

    def test_opt_in_of_its_own_kind(self) -> None:
        """A condition, a part, a method in disguise."""
        for line in (b'If-None-Match: "a"', b"Range: bytes=0-1", b"If-Match: *", b"X-HTTP-Method: GET"):
            self.assertIsNone(opted_in(asked(b"Cache-Control: public, max-age=60", line), SETTINGS), line)

    def test_operator_allows_none(self) -> None:
        """A longest age of nothing turns it off."""
        self.assertIsNone(opted_in(asked(b"Cache-Control: public, max-age=60"), CacheSettings(post_max_age=0)))

    def test_together(self) -> None:
        """Who waits for another's answer, and for whom others wait."""
        for line, waits, leads in (
            (b"Accept: */*", True, True),
            (b"Cache-Control: max-age=5", True, True),
            (b"Cache-Control: no-cache", False, True),
            (b"Pragma: no-cache", False, True),
            (b"Cache-Control: no-store", False, False),
            (b'If-None-Match: "a"', False, False),
            (b"If-Modified-Since: x", False, False),
            (b"Range: bytes=0-1", False, False),
        ):
            self.assertEqual((may_wait(asked(line)), may_lead(asked(line))), (waits, leads), line)
