"""RFC 9111 section 4.3."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.conditional import (
    is_not_modified,
    not_modified_fields,
    same_representation,
    selected_by,
    tags_in,
    validating,
)
from llmproxy.core.caching.dates import format_date
from llmproxy.core.caching.directives import RequestDirectives
from llmproxy.core.caching.entry import Entry
from llmproxy.message import Field

NOW = 1_700_000_000.0
OLD, NEW = format_date(NOW - 100), format_date(NOW - 50)


def entry(*fields: Field, status: int = 200, at: float = NOW, size: int = 4) -> Entry:
    return Entry(status, b"OK", list(fields), at, 0, 60, False, False, 0, 0, size)


STRONG, WEAK = entry((b"ETag", b'"a,b"')), entry((b"ETag", b'W/"a,b"'))
DATED = entry((b"Last-Modified", OLD))


class ClientTests(SynchronousTestCase):
    def test_none_match(self) -> None:
        """Weak comparison: a tag matches with and without W/; a comma inside a tag parts nothing."""
        for stored in (STRONG, WEAK):
            for text, expected in (
                (b'"a,b"', True),
                (b'W/"a,b"', True),
                (b'"x", W/"a,b"', True),
                (b"*", True),
                (b'"a"', False),
                (b"a,b", False),
                (b"", False),
            ):
                self.assertEqual(is_not_modified(stored, RequestDirectives(if_none_match=text), NOW), expected, text)

    def test_modified_since(self) -> None:
        """A bad date says nothing; without Last-Modified the date of the answer counts."""
        for stored, since, expected in (
            (DATED, OLD, True),
            (DATED, NEW, True),
            (DATED, format_date(NOW - 101), False),
            (DATED, b"junk", False),
            (entry((b"Date", NEW)), NEW, True),
            (entry((b"Date", NEW)), OLD, False),
            (entry(), OLD, False),
            (entry((b"Last-Modified", b"junk"), at=NOW), format_date(NOW), True),
        ):
            self.assertEqual(is_not_modified(stored, RequestDirectives(if_modified_since=since), NOW), expected, since)

    def test_tag_goes_before_date(self) -> None:
        """RFC 9110 section 13.1.3."""
        both = RequestDirectives(if_none_match=b'"other"', if_modified_since=format_date(NOW))
        self.assertFalse(is_not_modified(entry((b"ETag", b'"a"'), (b"Last-Modified", OLD)), both, NOW))

    def test_only_200_is_not_modified(self) -> None:
        """A stored 404 is told as it is."""
        self.assertFalse(is_not_modified(entry(status=404), RequestDirectives(if_none_match=b"*"), NOW))

    def test_fields_of_304(self) -> None:
        """W15: what tells caches of it, and nothing about bytes that are not sent."""
        stored = entry((b"ETag", b'"a"'), (b"Content-Length", b"4"), (b"Cache-Control", b"public"), (b"X", b"1"),
                       (b"Last-Modified", OLD))  # fmt: skip
        self.assertEqual(not_modified_fields(stored), [(b"ETag", b'"a"'), (b"Cache-Control", b"public")])
        self.assertEqual(not_modified_fields(DATED), [(b"Last-Modified", OLD)])

    def test_tags(self) -> None:
        """Whatever stands between them."""
        self.assertEqual(tags_in(b'"a" , W/"b",, junk "c"'), [b"a", b"b", b"c"])


class UpstreamTests(SynchronousTestCase):
    def test_asks_with_what_is_stored(self) -> None:
        """W11: the client's own conditions do not go with ours."""
        asking = validating(
            [(b"X", b"1"), (b"If-None-Match", b'"mine"'), (b"Range", b"bytes=0-1")],
            entry((b"ETag", b'"a"'), (b"Last-Modified", OLD)),
        )
        self.assertEqual(asking, [(b"X", b"1"), (b"If-None-Match", b'"a"'), (b"If-Modified-Since", OLD)])

    def test_selects(self) -> None:
        """Section 4.3.4: all of one strong tag; of the rest the latest; the only one if nothing tells them apart."""
        a1, a2 = entry((b"ETag", b'"a"')), entry((b"ETag", b'"a"'), at=NOW + 1)
        w1, w2 = entry((b"ETag", b'W/"a"')), entry((b"ETag", b'W/"a"'), at=NOW + 1)
        for fields, entries, expected in (
            ([(b"ETag", b'"a"')], [(b"1", a1), (b"2", a2), (b"3", w1)], [b"1", b"2"]),
            ([(b"ETag", b'W/"a"')], [(b"1", w2), (b"2", w1)], [b"1"]),
            ([(b"ETag", b'"z"')], [(b"1", a1)], []),
            ([(b"Last-Modified", OLD)], [(b"1", DATED), (b"2", a1)], [b"1"]),
            ([], [(b"1", a1)], [b"1"]),
            ([], [(b"1", a1), (b"2", a2)], []),
        ):
            self.assertEqual(selected_by(fields, entries), expected, fields)

    def test_head_speaks_of_what_is_stored(self) -> None:
        """Section 4.3.5."""
        stored = entry((b"ETag", b'"a"'), (b"Last-Modified", OLD), size=4)
        for fields, expected in (
            ([], None),
            ([(b"Content-Length", b"4")], None),
            ([(b"Last-Modified", OLD)], True),
            ([(b"ETag", b'"a"'), (b"Content-Length", b"4")], True),
            ([(b"ETag", b'"b"')], False),
            ([(b"Last-Modified", NEW)], False),
            ([(b"Content-Length", b"5")], False),
        ):
            self.assertIs(same_representation(stored, fields), expected, fields)
