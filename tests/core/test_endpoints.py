"""Tests for L{llmproxy.core.endpoints}; L{tests.core.test_policy} has what a policy makes of them."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.endpoints import Endpoints, settled

from ..properties import examples


def _expression(entry: str) -> re.Pattern[bytes]:
    """Short to write, and far too slow for a caller's paths."""
    within = rb"(?:[^/\\%]|%25)"
    segments = [
        within + b"+"
        if segment and not segment.strip(b"*")
        else (within + b"*").join(map(re.escape, segment.split(b"*")))
        for segment in entry.rstrip("/").encode().split(b"/")
    ]
    return re.compile(b"/".join(segments) + rb"(?:/|\Z)")


class EndpointsTests(SynchronousTestCase):
    def test_find(self) -> None:
        """The longest plain entry is found first, then one with a star."""
        endpoints = Endpoints.compile(["/v1", "/v1/files", "/v2/*/x"])
        for path, entry in (
            (b"/v1/files/f-1", "/v1/files"),
            (b"/v1/filesX", "/v1"),
            (b"/v2/a/x/y", "/v2/*/x"),
            (b"/v2/a", None),
        ):
            self.assertEqual(endpoints.find(path), entry, path)

    def test_many_segments(self) -> None:
        """A path of nothing but slashes is looked up as often as an entry has segments."""
        endpoints = Endpoints.compile(["/v1/files", "/"])
        self.assertEqual(endpoints.find(b"/v1/files" + b"/" * 8000), "/v1/files")
        self.assertEqual(endpoints.find(b"/" * 8000), "/")
        self.assertIsNone(Endpoints.compile(["/v1/files"]).find(b"/v2" + b"/" * 8000))

    @given(
        st.lists(st.sampled_from(["*", "*", "a", "b", "ab", ":", "%2F", "/"]), min_size=1, max_size=8).map("".join),
        st.lists(st.sampled_from([b"a", b"b", b"ab", b":", b"%25", b"%2F", b"\\", b"/"]), max_size=9).map(b"".join),
    )
    @settings(max_examples=examples(600), deadline=None)
    def test_stars(self, entry: str, path: bytes) -> None:
        """Stars are found as by the regular expression that says the same."""
        entry, path = "/" + entry + "*", b"/" + path
        # Paths come with their slashes merged, and an entry is read alike.
        expected = _expression(re.sub("//+", "/", entry)).match(path) is not None
        self.assertEqual(Endpoints.compile([entry]).find(path) is not None, expected, (entry, path))

    def test_settled(self) -> None:
        """What would change the structure of a path stays encoded, in one spelling."""
        self.assertEqual(settled(b"/a%2fb%5cc%25d%7Ee"), b"/a%2Fb%5Cc%25d~e")
