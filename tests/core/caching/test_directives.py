"""What a request asks of a cache."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.core.caching.control import NOTHING, CacheControl
from llmproxy.core.caching.directives import PLAIN, RequestDirectives, asked_by, opted_in
from llmproxy.message import Field

SETTINGS = CacheSettings(post_max_age=100.0)
NO_CACHE = RequestDirectives(CacheControl(no_cache=True))

CONDITIONAL = [b"if-match", b"if-unmodified-since"]
OVERRIDING = [b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url"]


def asked(*lines: bytes) -> RequestDirectives:
    pairs = [line.partition(b": ") for line in lines]
    return asked_by([(name, value) for name, _, value in pairs])


class AskedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What each field means, alone and beside others."""
        for name, lines, expected in (
            ("nothing of it concerns caches", [b"Accept: */*", b"If-Else: x"], PLAIN),
            ("directives", [b"CACHE-CONTROL: no-store"], RequestDirectives(CacheControl(no_store=True))),
            ("of all lines", [b"Cache-Control: no-store", b"cache-control: max-age=3"],
             RequestDirectives(CacheControl(no_store=True, max_age=3))),
            ("Pragma of old clients", [b"Pragma: no-cache"], NO_CACHE),
            ("means nothing else", [b"Pragma: no-store"], PLAIN),
            ("and nothing beside Cache-Control", [b"Pragma: no-cache", b"Cache-Control: max-age=3"],
             RequestDirectives(CacheControl(max_age=3))),
            ("even an empty one", [b"Pragma: no-cache", b"Cache-Control: "], PLAIN),
            ("tags of all lines", [b'If-None-Match: "a"', b'If-None-Match: W/"b"'],
             RequestDirectives(if_none_match=b'"a", W/"b"')),
            ("a date", [b"If-Modified-Since: x"], RequestDirectives(if_modified_since=b"x")),
            ("a range", [b"Range: bytes=0-1", b'If-Range: "a"'],
             RequestDirectives(range=b"bytes=0-1", if_range=b'"a"')),
        ):  # fmt: skip
            self.assertEqual(asked(*lines), expected, name)

    def test_conditional(self) -> None:
        """With a tag or a date, also an empty one, a client has something already."""
        for line in (b"If-None-Match: ", b"If-None-Match: *", b"If-Modified-Since: x"):
            self.assertTrue(asked(line).conditional, line)
        for line in (b"If-Match: *", b"Range: bytes=0-1", b"Cache-Control: no-cache"):
            self.assertFalse(asked(line).conditional, line)

    def test_for_origin_only(self) -> None:
        """RFC 9110 section 13.2.1: what protects a change is for the origin to decide."""
        for name in CONDITIONAL:
            self.assertEqual(asked(name + b": x"), evolve(PLAIN, for_origin_only=True), name)

    def test_overridden(self) -> None:
        """What makes some servers answer something else is noticed, however it is written."""
        for name in OVERRIDING:
            for written in (name, name.title(), name.upper()):
                self.assertEqual(asked(written + b": x"), evolve(PLAIN, overridden=True), written)

    @given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=12)), max_size=4))
    def test_others(self, others: list[Field]) -> None:
        """Fields that are none of these change nothing, wherever they stand."""
        mine = [(b"Range", b"bytes=0-1"), (b"Cache-Control", b"no-cache")]
        others = [(b"X-" + name, value) for name, value in others]
        self.assertEqual(asked_by(others), PLAIN)
        self.assertEqual(asked_by([mine[0], *others, mine[1]]), asked_by(mine))

    def test_plain_is_one(self) -> None:
        """Most requests ask nothing, and cost no object."""
        self.assertIs(asked(b"Accept: */*"), PLAIN)
        self.assertIs(PLAIN.control, NOTHING)


class EligibilityTests(SynchronousTestCase):
    def test_for_origin(self) -> None:
        """Conditions on what upstream has, and other methods in disguise."""
        for line in (b"If-Match: *", b"If-Unmodified-Since: x", b"X-HTTP-Method: PUT", b"X-Original-URL: /"):
            self.assertTrue(asked(line).is_for_origin, line)
        self.assertFalse(asked(b"If-None-Match: *", b"Accept: */*").is_for_origin)

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
            self.assertEqual((asked(line).may_wait, asked(line).may_lead), (waits, leads), line)
