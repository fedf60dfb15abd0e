"""Text search in columns; what the databases make of it is in L{tests.contracts}."""

from __future__ import annotations

import re
import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.search import glob_of, pattern_of

from ..properties import examples


class PatternTests(SynchronousTestCase):
    def test_table(self) -> None:
        for text, stored in (
            ("ärger", "ÄRGER"),
            ("ÄRGER", "der ärger"),
            ("σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("straße", "STRAßE"),
            ("İzmir", "İZMIR"),
            ("ж.*(", "Ж.*("),
            ("ü", r'{"name":"\u00dc"}'),
            ("😀", r'{"name":"\ud83d\ude00"}'),
        ):
            self.assertTrue(re.search(pattern_of(text), stored), text)

    def test_literally(self) -> None:
        """No character means anything but itself."""
        for text, stored in (("ü.", "üx"), ("ü*", "üü"), ("[ü]", "ü"), ("ü|a", "a"), ("ü\\d", "ü1"), ("ü$", "ü")):
            self.assertFalse(re.search(pattern_of(text), stored), text)
            self.assertTrue(re.search(pattern_of(text), f"x{text}y"), text)

    @settings(max_examples=examples(200), deadline=None)
    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
    def test_itself(self, text: str) -> None:
        """Whatever it is, it is found where it stands."""
        self.assertTrue(re.search(pattern_of(text), f"before {text} after"))


class GlobTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.addCleanup(self.connection.close)

    def is_found(self, text: str, stored: str) -> bool:
        return bool(self.connection.execute("SELECT ? GLOB ?", (stored, glob_of(text))).fetchone()[0])

    def test_table(self) -> None:
        """Both cases of letters, and nothing means anything but itself."""
        for text, stored in (
            ("ärger", "ÄRGER"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ж.*(", "Ж.*("),
            ("ü^a]", "Ü^A]"),
            ("^ü", "x^ü"),
        ):
            self.assertTrue(self.is_found(text, stored), text)
        for text, stored in (("ü?", "üx"), ("ü*", "üü"), ("[ü]", "ü"), ("[^ü]", "x"), ("ü[a-c]", "üb")):
            self.assertFalse(self.is_found(text, stored), text)
            self.assertTrue(self.is_found(text, f"x{text}y"), text)

    @settings(max_examples=examples(200), deadline=None)
    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20))
    def test_as_the_pattern(self, text: str) -> None:
        """It finds what the regular expression finds."""
        for stored in (text, text.upper(), text.lower(), text[1:]):
            whole = f"before {stored} after"
            expected = bool(re.search(pattern_of(text), whole))
            self.assertEqual(self.is_found(text, whole), expected, stored)
