"""Tests for L{llmproxy.core.targets}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.targets import merged, with_parameter
from tests.tables import row


class MergedTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Slashes are one in the path; encoded ones, and those of the query, are none of them."""
        for target, expected in (
            (b"/", b"/"),
            (b"//", b"/"),
            (b"//v1///models/", b"/v1/models/"),
            (b"/v1/models//", b"/v1/models/"),
            (b"/v1/a%2F%2Fb", b"/v1/a%2F%2Fb"),
            (b"/v1/%2F/b", b"/v1/%2F/b"),
            (b"/v1//x?next=https://a//b", b"/v1/x?next=https://a//b"),
            (b"/?//", b"/?//"),
            (b"*", b"*"),
        ):
            self.assertEqual(merged(target), expected, target)

    @given(st.lists(st.sampled_from([b"/", b"a", b"%2F", b".", b"?", b";"]), max_size=12).map(b"".join))
    def test_settled(self, rest: bytes) -> None:
        """A second time changes nothing, no run is left in the path, and nothing but slashes is taken away."""
        target = b"/" + rest
        once = merged(target)
        self.assertEqual(merged(once), once)
        self.assertNotIn(b"//", once.partition(b"?")[0])
        self.assertEqual(once.replace(b"/", b""), target.replace(b"/", b""))
        self.assertEqual(once.partition(b"?")[1:], target.partition(b"?")[1:])


class ParameterTests(SynchronousTestCase):
    def test_table(self) -> None:
        """One parameter of the name, however it was written; all else keeps its bytes."""
        for target, expected in (
            (b"/x", b"/x?v=new"),
            (b"/x?", b"/x?v=new"),
            (b"/x?a=1", b"/x?a=1&v=new"),
            (b"/x?v=old&a=%20", b"/x?v=new&a=%20"),
            (b"/x?a=1&V=old&v=older", b"/x?a=1&v=new"),
            (b"/x?%76=old", b"/x?v=new"),
            (b"/x?v", b"/x?v=new"),
            (b"/x?&a&", b"/x?&a&&v=new"),
        ):
            with row(target):
                self.assertEqual(with_parameter(target, b"v", b"new"), expected)
