"""Tests for L{llmproxy.core.attributing.tags}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.attributing.tags import LONGEST_NAME, LONGEST_VALUE, MOST_TAGS, NAME, tags_of
from tests.tables import row

RIGHT: tuple[tuple[tuple[bytes, ...], dict[str, str]], ...] = (
    ((b"team=search, feature=summary",), {"team": "search", "feature": "summary"}),
    ((b"team=search,feature=summary",), {"team": "search", "feature": "summary"}),
    ((b"  team =  search  ",), {"team": "search"}),
    ((b"Team=Search",), {"team": "Search"}),
    ((b"team=search", b"feature=summary"), {"team": "search", "feature": "summary"}),
    ((b"team=two words",), {"team": "two words"}),
    ((b"team=a=b;c",), {"team": "a=b;c"}),
    ((b'team="a, b", x=1',), {"team": "a, b", "x": "1"}),
    ((rb'team="a \"b\" \\"',), {"team": 'a "b" \\'}),
    (("team=M\u00fcnchen".encode(),), {"team": "M\u00fcnchen"}),
    ((b"team=,".replace(b"=,", b"=x,,"),), {"team": "x"}),
    ((b"",), {}),
    ((b" , ,",), {}),
    ((b"cost-center.eu_1=42",), {"cost-center.eu_1": "42"}),
    ((b"t=" + b"v" * LONGEST_VALUE,), {"t": "v" * LONGEST_VALUE}),
    ((b"t" * LONGEST_NAME + b"=1",), {"t" * LONGEST_NAME: "1"}),
    ((b",".join(b"t%d=1" % n for n in range(MOST_TAGS)),), {f"t{n}": "1" for n in range(MOST_TAGS)}),
)

WRONG: tuple[tuple[bytes, str], ...] = (
    (b"team", "expected NAME=VALUE, got 'team'"),
    (b"x=1, team", "expected NAME=VALUE, got 'team'"),
    (b"=search", "a name is a letter"),
    (b"1team=search", "a name is a letter"),
    (b"te am=search", "a name is a letter"),
    (b"t\xc3\xa9=search", "a name is a letter"),
    (b"t" * (LONGEST_NAME + 1) + b"=1", "a name is a letter"),
    (b"team=", "team has no value"),
    (b'team=""', "team has no value"),
    (b"team=,feature=x", "team has no value"),
    (b'team="search', "a quote is not closed"),
    (b'team="a"b', "all of it in quotes"),
    (b'team=a"b', "a quote is not closed"),
    (b"team=a\x01b", "some that do not print"),
    (b"team=" + b"v" * (LONGEST_VALUE + 1), "longer than"),
    (b"team=a, TEAM=b", "team stands there twice"),
    (b"team=\xff", "expected UTF-8"),
    (b",".join(b"t%d=1" % n for n in range(MOST_TAGS + 1)), "more than"),
)


class TagsTests(SynchronousTestCase):
    def test_right(self) -> None:
        """However it is written, the same is meant."""
        for values, expected in RIGHT:
            with row(values):
                self.assertEqual(tags_of(values), expected)

    def test_wrong(self) -> None:
        """What cannot be meant is named: nothing of it is left out in silence."""
        for value, words in WRONG:
            with row(value):
                error = self.assertRaises(ValueError, tags_of, [value])
                self.assertIn(words, str(error))

    def test_allowed(self) -> None:
        """Where names are given, others may not be used, and what may be used is said."""
        self.assertEqual(tags_of([b"Team=x"], {"team"}), {"team": "x"})
        error = self.assertRaises(ValueError, tags_of, [b"taem=x"], {"team", "feature"})
        self.assertEqual(str(error), "taem is not one of the names that may be used: feature, team")
        error = self.assertRaises(ValueError, tags_of, [b"team=x"], ())
        self.assertIn("may be used: none", str(error))

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_any_bytes(self, value: bytes) -> None:
        """Whatever bytes come, there are a few good tags, or a sentence."""
        try:
            found = tags_of([value])
        except ValueError as error:
            self.assertTrue(str(error))
        else:
            self.assertTrue(all(NAME.fullmatch(name) and text for name, text in found.items()))

    def test_time(self) -> None:
        """No text makes it look at the same bytes again and again."""
        for value in (b'a="' + b"\\" * 4000, b"a" * 4000, b'a="' + b"x" * 4000, b" " * 4000, b"=" * 4000, b'""' * 2000):
            with row(value):
                self.assertRaises(ValueError, tags_of, [value + b"!"] * 16)
        self.assertIn("4096", str(self.assertRaises(ValueError, tags_of, [b"a=" + b"b" * 4096])))
