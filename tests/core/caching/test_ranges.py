"""Parts of what is stored."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.dates import format_date
from llmproxy.core.caching.directives import RequestDirectives
from llmproxy.core.caching.entry import Entry
from llmproxy.core.caching.ranges import UNSATISFIABLE, part_of

NOW = 1_700_000_000.0
OLD = format_date(NOW - 100)


def entry(tag: bytes = b'"a"', status: int = 200, size: int = 10, date: bytes = format_date(NOW)) -> Entry:
    fields = [(b"ETag", tag), (b"Last-Modified", OLD), (b"Date", date)]
    return Entry(status, b"OK", fields, NOW, 0, 60, False, False, 0, 0, size)


class RangesTests(SynchronousTestCase):
    def test_each_form(self) -> None:
        """One range is answered with its bytes; what is no single range with everything."""
        for text, expected in (
            (b"bytes=0-3", (0, 4)),
            (b"Bytes = 0-3", (0, 4)),
            (b"bytes=8-", (8, 10)),
            (b"bytes=-3", (7, 10)),
            (b"bytes=-99", (0, 10)),
            (b"bytes=5-99", (5, 10)),
            (b"bytes=10-", UNSATISFIABLE),
            (b"bytes=-0", UNSATISFIABLE),
            (b"bytes=3-1", None),
            (b"bytes=0-1,3-4", None),
            (b"lines=0-1", None),
            (b"bytes=-", None),
            (b"bytes=a-b", None),
        ):
            self.assertEqual(part_of(entry(), RequestDirectives(range=text), NOW), expected, text)

    def test_empty_content_has_no_part(self) -> None:
        """RFC 9110 section 14.1.2."""
        self.assertEqual(part_of(entry(size=0), RequestDirectives(range=b"bytes=0-"), NOW), UNSATISFIABLE)

    def test_if_range(self) -> None:
        """Strong comparison only; otherwise the whole."""
        for stored, validator, partial in (
            (entry(), b'"a"', True),
            (entry(), b'"b"', False),
            (entry(), b'W/"a"', False),
            (entry(b'W/"a"'), b'W/"a"', False),
            (entry(), OLD, True),
            (entry(), format_date(NOW), False),
            (entry(date=OLD), OLD, False),
        ):
            got = part_of(stored, RequestDirectives(range=b"bytes=0-0", if_range=validator), NOW)
            self.assertEqual(got == (0, 1), partial, validator)

    def test_only_of_200(self) -> None:
        """A stored 404 has no parts."""
        self.assertIsNone(part_of(entry(status=404), RequestDirectives(range=b"bytes=0-1"), NOW))
