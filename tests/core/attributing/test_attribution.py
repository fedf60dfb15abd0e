"""Tests for L{llmproxy.core.attributing.attribution}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.attributing.attribution import HASHABLE, Hashing, kept, with_said
from llmproxy.core.attributing.said import Said
from llmproxy.record import Attribution

SAID = Attribution("ann@example.com", "s-1", "curl", {"team": "search"}, {"user_id": "ann@example.com", "k": "v"})


class HashingTests(SynchronousTestCase):
    def test_same(self) -> None:
        """The same is the same, in every process that has the key; another key makes another."""
        one, other = Hashing(b"k" * 32), Hashing(b"l" * 32)
        self.assertEqual(one.text("ann"), Hashing(b"k" * 32).text("ann"))
        self.assertNotEqual(one.text("ann"), one.text("bob"))
        self.assertNotEqual(one.text("ann"), other.text("ann"))
        self.assertNotEqual(Hashing(None).text("ann"), one.text("ann"))
        self.assertRegex(one.text("ann"), r"^hmac:[0-9a-f]{32}$")
        self.assertEqual(one.text(""), "")


class KeptTests(SynchronousTestCase):
    hashing = Hashing(b"k" * 32)

    def test_as_it_is(self) -> None:
        """Nothing is hashed but what an API wants hashed, or what is too long."""
        self.assertEqual(kept(SAID, frozenset(), self.hashing), SAID)
        self.assertRegex(kept(Attribution(user="u" * 500), frozenset(), self.hashing).user, "^sha256:")

    def test_hashed(self) -> None:
        """A user is hashed wherever it is named; names of tags and of metadata stay, and so does the program."""
        found = kept(SAID, frozenset({"user"}), self.hashing)
        ann = self.hashing.text("ann@example.com")
        self.assertEqual(found, Attribution(ann, "s-1", "curl", {"team": "search"}, {"user_id": ann, "k": "v"}))
        everything = kept(SAID, frozenset(HASHABLE), self.hashing)
        self.assertEqual(
            (everything.program, [*everything.tags], [*everything.metadata]), ("curl", ["team"], ["user_id", "k"])
        )
        for word in ("ann", "s-1", "search", "'v'"):
            self.assertNotIn(word, str(everything))

    def test_beside(self) -> None:
        """What a field of the request says stands above what its body says."""
        known = Attribution("", "s-1", "curl", {"team": "search"})
        self.assertEqual(
            with_said(known, Said("m", "ann", "s-2", {"k": "v"})),
            Attribution("ann", "s-1", "curl", {"team": "search"}, {"k": "v"}),
        )
