"""Tests for L{llmproxy.core.caching.likelihood}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.key import Key
from llmproxy.core.caching.likelihood import UNSHARED_FOR, Likelihood, kind_of


def key(target: bytes, method: bytes = b"GET", tenant: str = "p") -> Key:
    return Key("openai", tenant, method, target)


class LikelihoodTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.likelihood = Likelihood()

    def test_one_key(self) -> None:
        """An answer that could not be shared is not waited for, for a minute; an error says nothing of other keys."""
        self.likelihood.note(key(b"/v1/files/1"), 0.0, shared=False)
        self.assertFalse(self.likelihood.is_shared(key(b"/v1/files/1"), UNSHARED_FOR - 1))
        self.assertTrue(self.likelihood.is_shared(key(b"/v1/files/1"), UNSHARED_FOR))
        self.assertTrue(self.likelihood.is_shared(key(b"/v1/files/2"), 1.0))

    def test_its_kind(self) -> None:
        """Others of its path are judged by it, of whatever project; other paths and methods are not."""
        self.likelihood.note(key(b"/v1/files/file-a1?x=1"), 0.0, shared=False, kind=True)
        for other in (key(b"/v1/files/file-b2"), key(b"/v1/files/9?y", tenant="q")):
            self.assertFalse(self.likelihood.is_shared(other, 1.0), other)
        for other in (key(b"/v1/files"), key(b"/v1/files/9/content"), key(b"/v1/files/9", b"POST")):
            self.assertTrue(self.likelihood.is_shared(other, 1.0), other)

    def test_shared_again(self) -> None:
        """One that could be shared is what the next ones are judged by."""
        self.likelihood.note(key(b"/v1/files/1"), 0.0, shared=False, kind=True)
        self.likelihood.note(key(b"/v1/files/2"), 1.0, shared=True)
        self.assertTrue(self.likelihood.is_shared(key(b"/v1/files/3"), 2.0))
        self.assertFalse(self.likelihood.is_shared(key(b"/v1/files/1"), 2.0))

    def test_bounded(self) -> None:
        """However many keys there are, what is remembered is bounded; the oldest goes."""
        likelihood = Likelihood(10)
        for number in range(100):
            likelihood.note(key(b"/%c" % (200 + number % 50) + b"a" * number), 0.0, shared=False)
        self.assertEqual(len(likelihood), 10)

    def test_kinds(self) -> None:
        """Segments that look like identifiers are no part of a kind; versions are."""
        for target, path in (
            (b"/v1/models", b"/v1/models"),
            (b"/v1beta/models/gemini-2.5", b"/v1beta/models/*"),
            (b"/v1/responses/resp_0a1b/input_items?limit=5", b"/v1/responses/*/input_items"),
            (b"/v1/batches/abcdefghijklmnopqrstuvwxyz", b"/v1/batches/*"),
        ):
            self.assertEqual(kind_of(key(target)), b"openai\0GET\0" + path, (target, path))
