"""RFC 9111 section 4 and RFC 5861 as a table of moments."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.core.caching.control import parse
from llmproxy.core.caching.dates import format_date
from llmproxy.core.caching.directives import RequestDirectives, asked_by
from llmproxy.core.caching.entry import Entry
from llmproxy.core.caching.reuse import Reuse, reuse_of, serves_on_error
from llmproxy.core.caching.storing import Request, to_store

NOW = 1_700_000_000.0
SERVE, STALE, WHILE, VALIDATE, NOT_WANTED = Reuse


def entry(control: bytes) -> Entry:
    fields = [(b"Date", format_date(NOW)), (b"Cache-Control", control), (b"ETag", b'"a"')]
    found = to_store(Request(parse([])), 200, b"OK", fields, NOW, NOW, CacheSettings())
    assert found is not None
    return found.entry


def asked(control: bytes) -> RequestDirectives:
    return asked_by([(b"Cache-Control", control)]) if control else asked_by([])


P = b"public, max-age=60"

TABLE: list[tuple[bytes, float, bytes, Reuse]] = [
    (P, 0, b"", SERVE),
    (P, 59, b"", SERVE),
    (P, 60, b"", VALIDATE),
    (P, 61, b"", VALIDATE),
    (P, 1, b"no-cache", NOT_WANTED),
    (P, 99, b"no-cache", VALIDATE),
    (P, 0, b"max-age=0", SERVE),
    (P, 1, b"max-age=0", NOT_WANTED),
    (P, 10, b"max-age=10", SERVE),
    (P, 11, b"max-age=10", NOT_WANTED),
    (P, 11, b"max-age=junk", NOT_WANTED),
    (P, 50, b"min-fresh=10", SERVE),
    (P, 51, b"min-fresh=10", NOT_WANTED),
    (P, 0, b"min-fresh=junk", NOT_WANTED),
    (P, 70, b"max-stale=10", STALE),
    (P, 71, b"max-stale=10", VALIDATE),
    (P, 9999, b"max-stale", STALE),
    (P, 70, b"max-stale=10, max-age=60", VALIDATE),
    (P, 70, b"max-stale, min-fresh=1", VALIDATE),
    (P + b", must-revalidate", 61, b"max-stale", VALIDATE),
    (P + b", proxy-revalidate", 61, b"max-stale", VALIDATE),
    (b"s-maxage=60", 61, b"max-stale", VALIDATE),
    (P + b", no-cache", 0, b"", VALIDATE),
    (P + b", no-cache", 0, b"max-stale", VALIDATE),
    (P + b', no-cache="x"', 0, b"", SERVE),
    (P + b", stale-while-revalidate=30", 61, b"", WHILE),
    (P + b", stale-while-revalidate=30", 90, b"", VALIDATE),
    (P + b", stale-while-revalidate=30, must-revalidate", 61, b"", VALIDATE),
    (P + b", stale-while-revalidate=30", 61, b"no-cache", VALIDATE),
    (P + b", stale-while-revalidate=30", 61, b"max-age=10", VALIDATE),
    (P + b", immutable", 1, b"no-cache", NOT_WANTED),
]


class ReuseTests(SynchronousTestCase):
    def test_each_moment(self) -> None:
        """What is served is fresh, or somebody who may has agreed that it is not."""
        for control, after, wanted, expected in TABLE:
            got = reuse_of(entry(control), asked(wanted), NOW + after)
            self.assertEqual(got, expected, (control, after, wanted))

    def test_pragma(self) -> None:
        """Section 5.4: means no-cache where there is no Cache-Control, and nothing beside one."""
        pragma = (b"Pragma", b"no-cache")
        self.assertTrue(asked_by([pragma]).control.no_cache)
        self.assertFalse(asked_by([pragma, (b"Cache-Control", b"max-stale")]).control.no_cache)

    def test_on_error(self) -> None:
        """RFC 5861 section 4: for a time that either side names, and never against must-revalidate."""
        for control, after, wanted, expected in (
            (P, 61, b"", False),
            (P + b", stale-if-error=30", 90, b"", True),
            (P + b", stale-if-error=30", 91, b"", False),
            (P, 70, b"stale-if-error=10", True),
            (P + b", must-revalidate, stale-if-error=30", 61, b"", False),
            (P + b", stale-if-error=30", 61, b"no-cache", False),
            (P + b", no-cache, stale-if-error=30", 1, b"", False),
        ):
            found = serves_on_error(entry(control), asked(wanted), NOW + after, disconnected=False)
            self.assertEqual(found, expected, (control, wanted))

    def test_disconnected(self) -> None:
        """RFC 9111 section 4.2.4: while upstream gives no answer, unless it or the client has forbidden it."""
        for control, after, wanted, expected in (
            (P, 61, b"", True),
            (P, 3000, b"", True),
            (P + b", stale-if-error=30", 90, b"", True),
            (P + b", stale-if-error=30", 91, b"", False),
            (P + b", must-revalidate", 61, b"", False),
            (P + b", proxy-revalidate", 61, b"", False),
            (P + b", s-maxage=60", 61, b"", False),
            (P + b", no-cache", 61, b"", False),
            (P, 61, b"no-cache", False),
            (P, 61, b"min-fresh=1", False),
            (P, 61, b"max-age=60", False),
            (P, 61, b"max-stale=5", True),
            (P, 66, b"max-stale=5", False),
            (P, 61, b"max-stale", True),
        ):
            found = serves_on_error(entry(control), asked(wanted), NOW + after, disconnected=True)
            self.assertEqual(found, expected, (control, wanted))

    def test_stored_error(self) -> None:
        """An error that was stored stands in for no other one."""
        made = msgspec.structs.replace(entry(P), status=503)
        self.assertFalse(serves_on_error(made, asked(b""), NOW + 61, disconnected=True))

    def test_age_grows(self) -> None:
        """Section 4.2.3; a clock that goes back makes nothing younger than it was."""
        made = entry(P)
        self.assertEqual((made.age(NOW + 7), made.age(NOW - 7)), (7, 0))


class AskedTests(SynchronousTestCase):
    def test_what_is_read(self) -> None:
        """Every field that concerns a cache is found, on however many lines."""
        got = asked_by(
            [(b"If-None-Match", b'"a"'), (b"if-none-match", b'"b"'), (b"Range", b"bytes=0-"), (b"If-Match", b"*"),
             (b"X-HTTP-Method-Override", b"DELETE")]
        )  # fmt: skip
        self.assertEqual((got.if_none_match, got.range), (b'"a", "b"', b"bytes=0-"))
        self.assertTrue(got.for_origin_only and got.overridden and got.conditional)
