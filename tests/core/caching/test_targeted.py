"""RFC 9213 section 2."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.control import CacheControl
from llmproxy.core.caching.targeted import parse_targeted

TABLE: list[tuple[bytes, CacheControl | None]] = [
    (b"max-age=600", CacheControl(max_age=600)),
    (b"max-age=600, no-store", CacheControl(max_age=600, no_store=True)),
    (b"no-store=?1", CacheControl(no_store=True)),
    (b"no-store=?0", CacheControl()),
    (b"max-age=60;a=1;b, public", CacheControl(max_age=60, public=True)),
    (b"max-age=60, max-age=30", CacheControl(max_age=30)),
    (b'private="x, y"', CacheControl(private_fields=frozenset((b"x", b"y")))),
    (b'max-age="60"', CacheControl(max_age=0)),
    (b"max-age=1.5", CacheControl(max_age=0)),
    (b"x=(a b;c), no-cache", CacheControl(no_cache=True)),
    (b"x=:YQ==:, no-cache", CacheControl(no_cache=True)),
    (b"", None),
    (b"   ", None),
    (b"max-age=", None),
    (b"Max-Age=60", None),
    (b"max-age=60,", None),
    (b"max-age=60 private", None),
    (b'private="x', None),
]


class TargetedTests(SynchronousTestCase):
    def test_each_value(self) -> None:
        """A dictionary counts instead of Cache-Control; what is none does not count at all."""
        for line, expected in TABLE:
            self.assertEqual(parse_targeted([line]), expected, line)

    def test_lines_are_one_dictionary(self) -> None:
        """Directives on separate lines all count."""
        self.assertEqual(parse_targeted([b"max-age=5", b"public"]), CacheControl(max_age=5, public=True))
