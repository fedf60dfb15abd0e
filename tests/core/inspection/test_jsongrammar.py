"""Tests for L{llmproxy.core.inspection.jsongrammar}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.jsongrammar import LONGEST_BLANK, NEXT, SHALLOW, VALUE


class ShallowTests(SynchronousTestCase):
    def test_whole_values(self) -> None:
        """A value of little depth is matched whole, or not at all."""
        for text in (
            b'"a\\n\\u00e9"',
            b"-0.5e+10",
            b"null",
            b"[]",
            b"[ ]",
            b"{ }",
            b"[1, 2]",
            b'{"a": 1 , "b":[true,{"c":0}]}',
            b' [ [ [ ] ] ,\n{ "" : "" } ]',
        ):
            match = SHALLOW.match(text + b" ,")
            self.assertEqual(match and match.end(), len(text), text)

    def test_malformed(self) -> None:
        """What is not JSON is matched nowhere."""
        for text in (
            b"[1,]",
            b"{,}",
            b'{"a"}',
            b'{"a":1,}',
            b"[1 2]",
            b"01",
            b"1.",
            b".5",
            b"+1",
            b"'a'",
            b'"\\x"',
            b'"\t"',
        ):
            self.assertIsNone(SHALLOW.match(text + b","), text)
            self.assertIsNone(SHALLOW.match(b"[[" + text + b"]],"), text)
        self.assertIsNone(SHALLOW.match(b"[[[[1]]]],"))

    def test_bounds(self) -> None:
        """Numbers and white space have an end."""
        self.assertIsNone(SHALLOW.match(b"1" * 5000 + b","))
        self.assertIsNone(VALUE.match(b" " * (LONGEST_BLANK + 1) + b"1"))
        self.assertIsNone(NEXT.match(b" " * (LONGEST_BLANK + 1) + b","))
